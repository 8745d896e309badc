"""What every command of ``tools/`` does with an error that a user can mend."""

import sys
from collections.abc import Callable

from custom_datasets.errors import UserError


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
