"""What the commands of ``tools/`` share: errors, options, progress."""

import argparse
import io
import math
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from custom_datasets.errors import UserError
from custom_datasets.pickles import trusting

TRUST = '--trust'

WORTH_LINES = 100
"""Files below which nobody needs to see how many of them are read."""

SKIP_BROKEN = 'correct it, or leave it out with --skip-broken'
"""What to do about a source with images or annotations that can't be read."""

_RAY_CONFIG = str(Path(__file__).resolve().parents[1] / 'configs/ray.yaml')

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 and the number of the signal."""


def run_command(action: Callable[[], str | None], *, trust: bool = False) -> int:
    """Run a command's work, print what it returns, and return its exit status.

    After a :class:`UserError` that is 1, and its sentence goes to stderr. After Ctrl-C
    it is :data:`INTERRUPTED`, and the sentence is that of the KeyboardInterrupt.
    ``trust`` is what :func:`add_trust` gave.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A log in cp949 has no é, and what is done must not end in a traceback.
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        with trusting(trust):
            report = action()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        kept = str(error) or 'nothing is half-written; run the same command again'
        # A terminal shows ^C where the line would begin.
        print(f'{chr(10) * sys.stderr.isatty()}Interrupted; {kept}', file=sys.stderr)
        return INTERRUPTED
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


def add_cfg_options(parser: argparse.ArgumentParser, as_text: bool = False) -> None:
    """Add ``--cfg-options``, as the stock scripts have it.

    With ``as_text``, ``KEY=VALUE`` stays as it is, to be passed on to ``train.py``.
    """
    reading: dict[str, Any] = {'type': _setting, 'default': []}
    if not as_text:
        reading = {'action': _Settings, 'default': {}}
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        metavar='KEY=VALUE',
        help='settings that replace those of the config, as in train.py',
        **reading,
    )


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust``, for commands that read checkpoints or predictions."""
    parser.add_argument(
        TRUST,
        action='store_true',
        help='read checkpoints and predictions that may run any code; only for those '
        'whose maker you trust',
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``, for commands that run a model."""
    parser.add_argument(
        '--device',
        metavar='NAME',
        help='cpu, cuda, cuda:1, mps (default: the first GPU, if there is one)',
    )


def add_threshold(parser: argparse.ArgumentParser, where: str = '') -> None:
    """Add ``--threshold``, for commands that say what is on an image.

    ``where`` it counts stands in the help behind "lowest score that counts".
    """
    parser.add_argument(
        '--threshold',
        type=_threshold,
        metavar='SCORE|per-class',
        help=f"lowest score that counts{where} (default: the one that the run's report "
        'chose, else 0.3; for a classifier 0)',
    )


def add_served_model(parser: argparse.ArgumentParser, port: int) -> None:
    """Add which model a server has, and the address that it listens on."""
    parser.add_argument(
        'model',
        metavar='RUN|EXPORT|CONFIG',
        help="a run's work directory, an exported model, or a config",
    )
    parser.add_argument(
        '--checkpoint', help="default: the run's best, else its last checkpoint"
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen on; 0.0.0.0 is open to all (default: %(default)s)',
    )
    parser.add_argument(
        '--port',
        type=number(0, 65535, whole=True),
        default=port,
        help='0 takes a free one (default: %(default)s)',
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add ``--engine`` and ``--ray-config``, for commands that can use a cluster."""
    parser.add_argument(
        '--engine',
        choices=('local', 'ray'),
        default='local',
        help='ray uses the cluster that $RAY_ADDRESS names, else the cores of this '
        'machine; needs the extra `ray` (default: %(default)s)',
    )
    parser.add_argument(
        '--ray-config',
        metavar='FILE',
        default=_RAY_CONFIG,
        help='settings of Ray, in YAML (default: configs/ray.yaml)',
    )


def require_extra(extra: str, modules: Sequence[str]) -> None:
    """Raise a UserError with the command where an extra's modules are missing."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise UserError(
            f'{", ".join(missing)}: not installed; run '
            f'pip install -r requirements/{extra}.txt'
        )


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` settings as the stock scripts do."""
    if not options:
        return {}
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    parsed: dict[str, Any] = parser.parse_args(['--cfg-options', *options]).cfg_options
    return parsed


def source_pattern(text: str) -> re.Pattern[str]:
    """Read a pattern with a group, for a parser's ``type``."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f'{text}: {error}') from error
    if not pattern.groups:
        raise argparse.ArgumentTypeError(f'{text}: needs a group, in parentheses')
    return pattern


def number(
    least: float, most: float = math.inf, *, whole: bool = False
) -> Callable[[str], float]:
    """Return a parser's ``type`` that reads a number within limits."""
    limits = f'from {least} to {most}' if most < math.inf else f'of at least {least}'
    what = f'a {"whole " * whole}number {limits}'

    def read(text: str) -> float:
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and least <= value <= most):
            raise argparse.ArgumentTypeError(f'{text}: needs {what}')
        return value

    return read


@contextmanager
def progress_bar(
    what: str, unit: str = ''
) -> Iterator[Callable[[int, int | None], None]]:
    """Show how far something is on stderr: a bar on a terminal, else a few lines.

    Yields a function to call with how much is done and how much there is in all, None
    where nobody knows. With a unit, such as ``images``, the speed is shown as well.
    """
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        """How many a second, as a mean over the last ones."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f'{speed:.1f} {unit}/s' if speed else '')

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _PlainLines(what, unit).show
        return
    columns = [*Progress.get_default_columns()]
    if unit:
        columns += [TextColumn('{task.completed:.0f} ' + unit), Speed()]
    # What is printed meanwhile goes above the bar, unless it goes to a file.
    above = sys.stdout.isatty()
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=above
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Settings(argparse.Action):
    """mmengine's ``DictAction``, whose import takes a second that few need."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        from mmengine.config import DictAction

        read = DictAction(self.option_strings, self.dest, nargs=self.nargs)
        for value in values:
            if '=' not in value:
                parser.error(f'argument --cfg-options: {value}: needs KEY=VALUE')
        read(parser, namespace, values, option_string)


def _threshold(text: str) -> float | str:
    return text if text == 'per-class' else number(0, 1)(text)


def _setting(text: str) -> str:
    if not text.partition('=')[1]:
        raise argparse.ArgumentTypeError(f'{text}: needs KEY=VALUE')
    return text


class _PlainLines:
    """Prints a line at each quarter; of an unknown whole, whenever it has doubled."""

    def __init__(self, what: str, unit: str) -> None:
        self.what, self.unit = what, unit
        self.start = time.monotonic()
        self.printed = 0

    def show(self, done: int, total: int | None) -> None:
        if total is None:
            step = done.bit_length() if done >= WORTH_LINES else 0
        else:
            step = 4 * done // max(total, 1) if total >= WORTH_LINES else 0
        if step <= self.printed:
            return
        self.printed = step
        line = f'{self.what}: {done}' + (f' of {total}' if total else '')
        if self.unit:
            seconds = max(time.monotonic() - self.start, 1e-9)
            line += f' {self.unit}, {done / seconds:.1f} {self.unit}/s'
            if total:
                line += f', {seconds / done * (total - done):.0f} s left'
        print(line, file=sys.stderr)
