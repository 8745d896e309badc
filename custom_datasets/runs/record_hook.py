"""The hook that keeps a run's record up to date."""

import multiprocessing
import os
import time
from contextlib import suppress
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from custom_datasets.errors import UserError
from custom_datasets.runs.batches import count_images
from custom_datasets.runs.metrics import (
    best_entry,
    checkpoint_hook,
    main_metric,
    plain,
)
from custom_datasets.runs.pace import Pace
from custom_datasets.runs.record import RunRecord, has_run, read_run, write_or_warn
from custom_datasets.runs.record_start import begin_record, describe_best, now
from custom_datasets.runs.surroundings import peak_memory
from custom_datasets.runs.training_facts import counts_iterations

_MEMORY_INTERVAL = 200
_LONGEST_REASON = 2000
_NO_LOSSES = ('time', 'data_time', 'lr', 'base_lr', 'momentum')


@HOOKS.register_module()
class RunRecordHook(Hook):  # type: ignore[misc]
    """Write ``run.json`` and ``run.md`` into the work directory.

    From the first process: at the start, after each epoch, after each
    validation and at the end. A record that can't be written gets a warning,
    and the run goes on.
    """

    # After the checkpoints are saved.
    priority = 'LOWEST'

    def __init__(self) -> None:
        """Begin without a record."""
        self._record: RunRecord | None = None
        self._pace = Pace()
        self._begun = 0.0
        self._earlier = 0.0
        self._added = (0, 0.0)

    def before_train(self, runner: Any) -> None:
        """Begin a record, or take up that of the checkpoint."""
        if runner.rank == 0:
            self._begun = time.perf_counter()
            content = begin_record(runner)
            self._earlier = content['wall_seconds']
            self._record = RunRecord(runner.work_dir, content)
            self._write(runner)

    def before_train_epoch(self, runner: Any) -> None:
        """Start the clock."""
        self._pace.start()

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Time the loading."""
        self._pace.data_came()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Time the step, and look at the memory now and then."""
        self._pace.step_done(count_images(data_batch) * runner.world_size)
        often = self.every_n_train_iters(runner, _MEMORY_INTERVAL)
        # Loader workers may be gone once the epoch is over.
        if self._record and (
            often or self.end_of_epoch(runner.train_dataloader, batch_idx)
        ):
            workers = [each.pid for each in multiprocessing.active_children()]
            seen = peak_memory(pid for pid in workers if pid is not None)
            speed = self._record.content['speed']
            if (seen['peak_memory_mb'] or 0) > (speed['peak_memory_mb'] or 0):
                speed.update(seen)

    def after_train_epoch(self, runner: Any) -> None:
        """Add the epoch."""
        counted = counts_iterations(runner)
        self._add_entry(runner, None if counted else runner.epoch + 1)
        self._write(runner)

    def before_val(self, runner: Any) -> None:
        """Add the iterations that led here, where they are what is counted."""
        if self._record and counts_iterations(runner):
            self._add_entry(runner, None)

    def after_val_epoch(
        self, runner: Any, metrics: dict[str, Any] | None = None
    ) -> None:
        """Add the metrics to the epoch that was validated."""
        self._pace.start()
        content = self._record.content if self._record else None
        if not content or not content['epochs'] or not metrics:
            return
        content['epochs'][-1]['metrics'] = content['validation'] = plain(metrics)
        chosen = main_metric(runner, metrics)
        entry = chosen and best_entry(content['epochs'], *chosen)
        if chosen and entry:
            kept = _kept_checkpoint(runner, chosen[0])
            content['best'] = describe_best(entry, *chosen, kept)
        self._write(runner)

    def after_train(self, runner: Any) -> None:
        """Close the record."""
        early = getattr(runner.train_loop, 'stop_training', False)
        self._end(runner, 'finished', 'a hook ended it early' if early else None)

    def on_error(self, runner: Any, error: BaseException) -> None:
        """Close the record of a run that ended otherwise.

        :class:`custom_datasets.runner.PluginRunner` calls it.
        """
        if isinstance(error, KeyboardInterrupt):
            self._end(runner, 'stopped', 'interrupted (Ctrl-C)')
            return
        said = str(error)
        if not isinstance(error, UserError):
            said = f'{type(error).__name__}: {said}'
        self._end(runner, 'failed', said[:_LONGEST_REASON])

    def _add_entry(self, runner: Any, epoch: int | None) -> None:
        steps = self._pace.steps - self._added[0]
        if self._record is None or not steps:
            return
        logged = {
            name.removeprefix('train/'): values
            for name, values in runner.message_hub.log_scalars.items()
            if name.startswith('train/')
        }
        entry = {
            'epoch': epoch,
            'iteration': runner.iter,
            'lr': logged['lr'].current() if 'lr' in logged else None,
            'losses': {
                name: values.mean(steps)
                for name, values in logged.items()
                if name not in _NO_LOSSES
            },
            'seconds': round(self._pace.seconds - self._added[1], 3),
            'images_per_second': _rounded(self._pace.images_per_second(steps)),
            'metrics': None,
        }
        self._record.content['epochs'].append(plain(entry))
        self._added = (self._pace.steps, self._pace.seconds)

    def _end(self, runner: Any, status: str, reason: str | None) -> None:
        if self._record:
            content = self._record.content
            for each in (content, content['sessions'][-1]):
                each.update(status=status, reason=reason)
            self._write(runner)

    def _write(self, runner: Any) -> None:
        if self._record is None:
            return
        content = self._record.content
        seconds = time.perf_counter() - self._begun
        content['updated'] = now()
        content['wall_seconds'] = round(self._earlier + seconds, 1)
        content['sessions'][-1]['seconds'] = round(seconds, 1)
        content['speed']['images_per_second'] = _rounded(self._pace.images_per_second())
        content['speed']['data_share'] = _rounded(self._pace.data_share)
        content['checkpoints'] = _checkpoints(runner)
        if has_run(self._record.folder):
            # A test may have been added meanwhile.
            with suppress(UserError):
                content['tests'] = read_run(self._record.folder, whole=True).content[
                    'tests'
                ]
        write_or_warn(self._record, runner.logger)


def _kept_checkpoint(runner: Any, metric: str) -> str | None:
    """Return the name of the file that was kept as the best by a metric."""
    known = runner.message_hub.runtime_info
    path = known.get('best_ckpt') or known.get(f'best_ckpt_{metric}')
    return os.path.basename(path) if path else None


def _checkpoints(runner: Any) -> list[str]:
    hook = checkpoint_hook(runner)
    folder = (hook and hook.out_dir) or runner.work_dir
    if not os.path.isdir(folder):
        return []
    names = [name for name in os.listdir(folder) if name.endswith('.pth')]
    return sorted(names, key=lambda name: (len(name), name))


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f'{value:.4g}')
