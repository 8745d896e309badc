"""Running the stock scripts that ship inside mmdet and mmpretrain."""

import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence

from custom_datasets.cli import find_config, run_command
from custom_datasets.errors import ConfigError, UserError

INSTALL = (
    'in the plugin\'s folder, pip install -e ".[onedl]" brings the maintained line '
    'and pip install -e ".[openmmlab]" the original one'
)


def stock_command(script: str, argv: Sequence[str] | None, usage: str | None) -> int:
    """Be the command line of a stock script.

    Args:
        script: ``train.py`` or ``test.py``.
        argv: Arguments; those of the process if None.
        usage: What to print where no config is named.

    Returns:
        0, 1 after an error that the user can mend, 2 for wrong usage.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    config = find_config(arguments)
    if config is None:
        asked = bool({'-h', '--help'} & set(arguments))
        print(usage, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    # Threads that spin while they wait stall a CPU run beside any other process
    # (benchmarks/cpu_step.py). Read when torch loads, so it is set before.
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    return run_command(lambda: run_stock(script, config, arguments))


def run_stock(script: str, config: str, argv: Sequence[str]) -> None:
    """Run ``<package>/.mim/tools/<script>`` in this process.

    The package is the one that the config's ``default_scope`` names.

    Args:
        script: ``train.py`` or ``test.py``.
        config: Path of the config, which is also in ``argv``.
        argv: The script's arguments, passed on as they are.

    Raises:
        ConfigError: The config can't be read or names no ``default_scope``.
        UserError: The package is not installed, or has no such script.
    """
    package = package_of(config)
    path = os.path.join(package_folder(package), '.mim', 'tools', script)
    if not os.path.isfile(path):
        raise UserError(f'{path}: missing; install {package} again from its wheel')
    saved = sys.argv
    sys.argv = [path, *argv]
    try:
        runpy.run_path(path, run_name='__main__')
    finally:
        sys.argv = saved


def package_of(config: str) -> str:
    """Return the package whose scripts run a config: its ``default_scope``.

    Raises:
        ConfigError: The config can't be read or names none.
    """
    if not os.path.isfile(config):
        raise ConfigError(f'{config}: no such config')
    package_folder('mmengine')
    from mmengine.config import Config

    try:
        scope = Config.fromfile(config).get('default_scope')
    except ImportError as error:
        raise ConfigError(f'{config}: {error}; {INSTALL}') from error
    if not isinstance(scope, str):
        raise ConfigError(f'{config}: no default_scope (mmdet or mmpretrain)')
    return scope


def package_folder(package: str) -> str:
    """Return where a package is installed, without importing it.

    Raises:
        UserError: It is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f'{package} is not installed; {INSTALL}')
    return os.path.dirname(spec.origin)
