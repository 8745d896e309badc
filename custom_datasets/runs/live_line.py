"""A line at the foot of a terminal that is drawn again and again."""

import io
import logging
import sys
import time
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

REDRAWN_EVERY = 0.2
"""Seconds between two looks of the line."""


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
"""How the lines begin that pycocotools prints in each validation."""


class LiveLine:
    """One line that changes; all that is printed meanwhile goes above it.

    A logger's messages for the terminal are left out but for warnings and, while
    ``tables`` is set, those of several lines. Its files are left alone. What
    pycocotools prints is left out, since mmdet's table has it.

    Args:
        logger: Whose stream handlers write to the terminal.
    """

    def __init__(self, logger: logging.Logger) -> None:
        """Draw an empty line."""
        self.tables = False
        # No thread draws it: loader workers are forked, and one that is forked
        # while a thread holds the terminal's lock would wait for it for ever.
        console = Console(file=sys.stdout)
        self._live = Live(Text(), console=console, auto_refresh=False, transient=True)
        self._live.start()
        # What is killed can't bring a hidden cursor back.
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
        """Take the line away, and let the logger write as before."""
        for handler, stream in self._streams:
            handler.removeFilter(self._is_shown)
            if stream is not None:
                handler.setStream(stream)
        self._streams = []
        self._live.stop()

    def _is_shown(self, record: logging.LogRecord) -> bool:
        table = self.tables and '\n' in record.getMessage()
        return record.levelno >= logging.WARNING or table


class _WithoutChatter(io.TextIOBase):
    """Passes whole lines on, but for those of :data:`_CHATTER`."""

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
        """Keep the begun line: the next one is drawn in its place."""

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


def can_show_a_line() -> bool:
    """Tell whether standard output is a terminal that can draw a line again."""
    return sys.stdout.isatty() and Console().is_interactive
