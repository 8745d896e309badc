"""What the commands of ``tools/`` share: errors, options, progress."""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from custom_datasets.errors import UserError

WORTH_LINES = 100
"""Files below which nobody needs to be told how far the reading of them is."""


def run_command(action: Callable[[], str | None]) -> int:
    """Run a command's work, print what it returns, and turn errors into a status.

    Returns:
        0, or 1 after a :class:`UserError`, whose sentence goes to stderr.
    """
    try:
        report = action()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    if report:
        print(report)
    return 0


def find_config(argv: list[str]) -> str | None:
    """Return the first argument that names a config file."""
    suffixes = ('.py', '.yaml', '.yml', '.json')
    for argument in argv:
        if argument.endswith(suffixes) and '=' not in argument:
            return argument
    return None


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, as the stock scripts have it."""
    from mmengine.config import DictAction

    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='settings that replace those of the config, as in train.py',
    )


def source_pattern(text: str) -> re.Pattern[str]:
    """Be the type of an option ``--group-by``: a pattern with a group."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f'{text}: {error}') from error
    if not pattern.groups:
        raise argparse.ArgumentTypeError(f'{text}: needs a group, in parentheses')
    return pattern


def add_plain_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options`` as text, for a command that hands them to ``train.py``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        type=_setting,
        default=[],
        metavar='KEY=VALUE',
        help='settings that replace those of the config, as in train.py',
    )


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` settings as the stock scripts do."""
    if not options:
        return {}
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    parsed: dict[str, Any] = parser.parse_args(['--cfg-options', *options]).cfg_options
    return parsed


def at_least(least: int) -> Callable[[str], int]:
    """Return what reads a whole number from ``least`` on, for a parser's ``type``."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f'{text}: needs a number from {least} on')
        return int(text)

    return number


def share(text: str) -> float:
    """Read a number from 0 to 1, for a parser's ``type``."""
    return _number(text, 1.0, 'a number from 0 to 1')


def not_negative(text: str) -> float:
    """Read a number from 0 on, for a parser's ``type``."""
    return _number(text, sys.float_info.max, 'a number from 0 on')


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far something is on stderr: a bar on a terminal, else a few lines.

    Args:
        what: What goes on.

    Yields:
        A function to call with how much is done and how much there is in all.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines(what)
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _number(text: str, most: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise argparse.ArgumentTypeError(f'{text}: needs {what}')
    return number


def _setting(text: str) -> str:
    if not text.partition('=')[1]:
        raise argparse.ArgumentTypeError(f'{text}: needs KEY=VALUE')
    return text


def _plain_lines(what: str) -> Callable[[int, int], None]:
    """Return a function that prints a line for each quarter that is done."""
    printed = 0

    def show(done: int, total: int) -> None:
        nonlocal printed
        quarter = 4 * done // max(total, 1)
        if quarter > printed and total >= WORTH_LINES:
            printed = quarter
            print(f'{what}: {done} of {total}', file=sys.stderr)

    return show
