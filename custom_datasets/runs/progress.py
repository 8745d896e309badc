"""One live line on a terminal, while a training goes on."""

import os
import time
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from custom_datasets.runs.batches import count_images
from custom_datasets.runs.live_line import LiveLine, can_show_a_line
from custom_datasets.runs.markdown import duration
from custom_datasets.runs.metrics import main_metric
from custom_datasets.runs.pace import Pace
from custom_datasets.runs.record import PAGE_NAME
from custom_datasets.runs.surroundings import short_path
from custom_datasets.runs.training_facts import counts_iterations

_BAR = 16
_LAST_STEPS = 20


@HOOKS.register_module()
class ProgressHook(Hook):  # type: ignore[misc]
    """Show how far a training is: epoch, loss, rate, speed, time left, metric.

    On a terminal, of the first process. What mmengine logs there is then left
    out but for warnings and tables of metrics; log files get everything. Where
    standard output is no terminal, nothing changes.
    """

    # After the hooks that log, save and choose the best.
    priority = 'LOWEST'

    def __init__(self) -> None:
        """Begin without a line."""
        self._line: LiveLine | None = None
        self._pace = Pace()
        self._best: float | None = None
        self._began = 0.0
        self._first = 0

    def before_train(self, runner: Any) -> None:
        """Draw the line."""
        if runner.rank == 0 and can_show_a_line():
            self._line = LiveLine(runner.logger)
            self._line.show('about to train')
            self._began, self._first = time.monotonic(), runner.iter
            self._best = runner.message_hub.runtime_info.get('best_score')

    def before_train_epoch(self, runner: Any) -> None:
        """Start the clock."""
        self._pace.start()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Show the step."""
        self._pace.step_done(count_images(data_batch) * runner.world_size)
        if self._line and self._line.is_due():
            self._line.show(self._describe(runner, batch_idx + 1))

    def before_val_epoch(self, runner: Any) -> None:
        """Let tables through."""
        if self._line:
            self._line.tables = True

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Show how far the validation is."""
        if self._line and self._line.is_due():
            bar = _bar(batch_idx + 1, len(runner.val_dataloader))
            self._line.show(f'{_done(runner)}, validation  {bar}')

    def after_val_epoch(
        self, runner: Any, metrics: dict[str, Any] | None = None
    ) -> None:
        """Say what the validation gave."""
        self._pace.start()
        if self._line is None:
            return
        self._line.tables = False
        chosen = main_metric(runner, metrics or {})
        value = (metrics or {}).get(chosen[0]) if chosen else None
        if chosen and value is not None:
            worse = self._best is not None and (
                value <= self._best if chosen[1] == 'greater' else value >= self._best
            )
            self._best = self._best if worse else float(value)
            mark = f'best {self._best:.4g}' if worse else 'the best so far'
            self._line.say(f'{_done(runner)}: {chosen[0]} {value:.4g}, {mark}')

    def after_train(self, runner: Any) -> None:
        """Take the line away, and say where the record is."""
        if self._line:
            took = duration(time.monotonic() - self._began)
            page = short_path(os.path.join(runner.work_dir, PAGE_NAME))
            self._line.say(f'{_done(runner)}: trained in {took}; see {page}')
        self._close()

    def on_error(self, runner: Any, error: BaseException) -> None:
        """Take the line away."""
        self._close()

    def _describe(self, runner: Any, step: int) -> str:
        scalars = runner.message_hub.log_scalars
        done = runner.iter + 1
        spent = (time.monotonic() - self._began) / (done - self._first)
        parts = []
        if counts_iterations(runner):
            parts.append(f'iteration {_bar(done, runner.max_iters)}')
        else:
            parts.append(f'epoch {runner.epoch + 1}/{runner.max_epochs}')
            parts.append(_bar(step, len(runner.train_dataloader)))
        if 'train/loss' in scalars:
            parts.append(f'loss {scalars["train/loss"].mean(_LAST_STEPS):.4g}')
        if 'train/lr' in scalars:
            parts.append(f'lr {scalars["train/lr"].current():.3g}')
        rate = self._pace.images_per_second(_LAST_STEPS)
        if rate:
            parts.append(f'{rate:.3g} images/s')
        # Validations so far are in it, so those to come are allowed for.
        parts.append(f'{duration(spent * (runner.max_iters - done))} left')
        if self._best is not None:
            parts.append(f'best {self._best:.4g}')
        return '  '.join(parts)

    def _close(self) -> None:
        if self._line:
            self._line.close()
            self._line = None


def _done(runner: Any) -> str:
    if counts_iterations(runner):
        return f'iteration {runner.iter}'
    return f'epoch {runner.epoch}/{runner.max_epochs}'


def _bar(done: int, total: int) -> str:
    full = _BAR * done // max(total, 1)
    return f'[{"=" * full}{" " * (_BAR - full)}] {done}/{total}'
