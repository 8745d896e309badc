"""One live line on a terminal while a training runs, and the pace of its steps."""

import io
import logging
import os
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, TextIO

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from rich.console import Console
from rich.live import Live
from rich.text import Text

from custom_datasets.files import short_path
from custom_datasets.training.facts import (
    count_images,
    counts_iterations,
    main_metric,
)
from custom_datasets.training.record import PAGE_NAME
from custom_datasets.training.run_md import duration

REDRAWN_EVERY = 0.2
"""Seconds between two drawings of the line."""

_BAR = 16
_LAST_STEPS = 20
_CHATTER = (
    'loading annotations into',
    'Loading and preparing',
    'creating index',
    'index created',
    'Running per image',
    'Evaluate annotation type',
    'Accumulating evaluation',
    'Done (t=',
    'DONE (t=',
    ' Average Precision  (AP) @[',
    ' Average Recall     (AR) @[',
)
"""Starts of the lines that pycocotools prints in each validation."""


@HOOKS.register_module()
class ProgressHook(Hook):  # type: ignore[misc]
    """Show how far a training is: epoch, loss, rate, speed, time left, metric.

    Only in the first process and on a terminal, where the rest of mmengine's log is
    left out except for warnings and tables of metrics.
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
            self._line.show('starting')
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
        """Let tables of metrics through."""
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
        """Show the result of the validation."""
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
        """Remove the line, and say where the record is."""
        if self._line:
            took = duration(time.monotonic() - self._began)
            page = short_path(os.path.join(runner.work_dir, PAGE_NAME))
            self._line.say(f'{_done(runner)}: trained in {took}; see {page}')
        self._close()

    def on_error(self, runner: Any, error: BaseException) -> None:
        """Remove the line."""
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
        # It includes the validations so far, which allows for those to come.
        parts.append(f'{duration(spent * (runner.max_iters - done))} left')
        if self._best is not None:
            parts.append(f'best {self._best:.4g}')
        return '  '.join(parts)

    def _close(self) -> None:
        if self._line:
            self._line.close()
            self._line = None


class LiveLine:
    """One line that changes; everything printed meanwhile goes above it.

    Of what the logger writes to the terminal, only warnings are shown and, while
    ``tables`` is set, messages of several lines. What pycocotools prints is left out,
    since mmdet's table has it.
    """

    def __init__(self, logger: logging.Logger) -> None:
        """Draw an empty line."""
        self.tables = False
        # No thread draws it: loader workers are forked, and one that is forked
        # while a thread holds the terminal's lock would wait for it for ever.
        console = Console(file=sys.stdout)
        self._live = Live(Text(), console=console, auto_refresh=False, transient=True)
        self._live.start()
        # A killed process can't bring a hidden cursor back.
        console.show_cursor(True)
        sys.stdout = _WithoutChatter(sys.stdout)
        self._drawn = 0.0
        self._streams = []
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                self._streams.append((handler, handler.setStream(sys.stdout)))
                handler.addFilter(self._is_shown)

    def is_due(self) -> bool:
        """Tell whether the line is old enough to be drawn again."""
        return time.monotonic() - self._drawn >= REDRAWN_EVERY

    def show(self, text: str) -> None:
        """Draw the line again, cut to the terminal's width."""
        self._drawn = time.monotonic()
        line = Text(text, no_wrap=True, overflow='ellipsis')
        self._live.update(line, refresh=True)

    def say(self, text: str) -> None:
        """Print something that stays, above the line."""
        self._live.console.print(Text(text))

    def close(self) -> None:
        """Remove the line, and let the logger write as before."""
        for handler, stream in self._streams:
            handler.removeFilter(self._is_shown)
            if stream is not None:
                handler.setStream(stream)
        self._streams = []
        self._live.stop()

    def _is_shown(self, record: logging.LogRecord) -> bool:
        table = self.tables and '\n' in record.getMessage()
        return record.levelno >= logging.WARNING or table


def can_show_a_line() -> bool:
    """Tell whether standard output is a terminal that can draw a line again."""
    return sys.stdout.isatty() and Console().is_interactive


class Pace:
    """Times the steps of a training; ``clock`` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Begin without steps."""
        self._clock = clock
        self._last = clock()
        self._waited = 0.0
        self._took = 0.0
        self._rates: list[float] = []
        self._steps = 0

    def start(self) -> None:
        """Leave out the time since the last step, as before the first of an epoch."""
        self._last = self._clock()

    def data_came(self) -> None:
        """Count the time since the last step as waiting for data."""
        self._waited += self._clock() - self._last

    def step_done(self, images: int) -> None:
        """Count a step of this many images."""
        now = self._clock()
        seconds = now - self._last
        self._last = now
        self._took += seconds
        self._steps += 1
        # The first step reserves memory and compiles kernels.
        if self._steps > 1:
            self._rates.append(images / max(seconds, 1e-9))

    def images_per_second(self, last: int | None = None) -> float | None:
        """Return the median over all steps but the first, or over the last few."""
        rates = self._rates[-last:] if last else self._rates
        return median(rates) if rates else None

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self._steps

    @property
    def data_share(self) -> float | None:
        """Share of the steps' time spent waiting for data, 0 to 1."""
        return self._waited / self._took if self._took else None

    @property
    def seconds(self) -> float:
        """Time that all steps took."""
        return self._took


class _WithoutChatter(io.TextIOBase):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = ''

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split('\n')
        kept = [f'{line}\n' for line in lines if not line.startswith(_CHATTER)]
        if kept:
            self._stream.write(''.join(kept))
        return len(text)

    def flush(self) -> None:
        """Keep an unfinished line: the next one is drawn in its place."""

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


def _done(runner: Any) -> str:
    if counts_iterations(runner):
        return f'iteration {runner.iter}'
    return f'epoch {runner.epoch}/{runner.max_epochs}'


def _bar(done: int, total: int) -> str:
    full = _BAR * done // max(total, 1)
    return f'[{"=" * full}{" " * (_BAR - full)}] {done}/{total}'
