"""Running the stock scripts that ship inside mmdet and mmpretrain."""

import argparse
import atexit
import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from contextlib import suppress

from custom_datasets.cli import (
    TRUST,
    add_cfg_options,
    add_device,
    find_config,
    run_command,
)
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.starting import late_imports, settling
from custom_datasets.versions import INSTALL

NO_CHECK = '--no-check'


def stock_command(script: str, argv: Sequence[str] | None, usage: str | None) -> int:
    """Run ``train.py`` or ``test.py``: 0, 1 after a user's error, 2 for wrong usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    config = find_config(arguments)
    if config is None:
        asked = bool({'-h', '--help'} & set(arguments))
        with suppress(BrokenPipeError):  # As argparse does; see `--help | head`.
            print(usage, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    unchecked = NO_CHECK in arguments
    trust = TRUST in arguments
    arguments = [word for word in arguments if word not in (NO_CHECK, TRUST)]

    def action() -> None:
        nonlocal arguments
        with settling('command'), late_imports():
            arguments = use_device(arguments)
            if script == 'train.py' and not unchecked and _is_first_process():
                check_before_training(config, arguments)
            if script == 'test.py':
                _require_checkpoint(config, arguments)
            package = package_of(config)
        run_stock(script, package, arguments)

    return run_command(action, trust=trust)


def use_device(argv: Sequence[str]) -> list[str]:
    """Let torch see the device of ``--device`` only; return the other arguments.

    Raises a UserError for one that is not here, or a single GPU for several processes.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_device(parser)
    args, others = parser.parse_known_args(list(argv))
    if args.device is None:
        return others
    kind, _, index = args.device.partition(':')
    if index and int(os.environ.get('WORLD_SIZE') or 1) > 1:
        raise UserError(f'--device {args.device}: is for one process')
    # CUDA reads it once, so before torch is asked what there is.
    if kind == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    elif kind == 'cuda' and index.isdecimal():
        visible = (os.environ.get('CUDA_VISIBLE_DEVICES') or '').split(',')
        names = visible if visible != [''] else list(map(str, range(int(index) + 1)))
        os.environ['CUDA_VISIBLE_DEVICES'] = dict(enumerate(names)).get(int(index), '')
    from custom_datasets.predicting.model import choose_device

    choose_device(kind if index.isdecimal() else args.device)
    from mmengine.device import utils

    # mmengine chose when it was imported, and prefers Apple's.
    utils.DEVICE = kind
    return others


def check_before_training(config: str, argv: Sequence[str]) -> None:
    """Run the part of ``tools/check.py`` that decodes no image.

    Raises a UserError for errors outside of the test set. Of the arguments of
    ``train.py``, ``--cfg-options``, ``--auto-scale-lr`` and ``--amp`` count.
    """
    from custom_datasets.checks.check import check_config
    from custom_datasets.checks.report import errors, format_findings, summary

    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    parser.add_argument('--auto-scale-lr', action='store_true')
    parser.add_argument('--amp', action='store_true')
    args = parser.parse_known_args(list(argv))[0]
    options = args.cfg_options
    if args.auto_scale_lr:
        options = {**options, 'auto_scale_lr.enable': True}
    if args.amp:
        options = {**options, 'optim_wrapper.type': 'AmpOptimWrapper'}
    ranks = int(os.environ.get('WORLD_SIZE') or os.environ.get('SLURM_NTASKS') or 1)
    findings = check_config(config, options, ranks=ranks, images=False).findings
    # A training run does not open the test set.
    stopping = [finding for finding in errors(findings) if finding.split != 'test']
    if stopping:
        raise UserError(
            f'{config}: stopped before training\n\n{format_findings(stopping)}\n'
            f'{NO_CHECK} trains anyway'
        )
    idle = [finding for finding in findings if finding.code == 'no-effect']
    if idle:
        # The run would not show it: it trains, but not as intended.
        print(format_findings(idle, shown=len(idle)))
    same = ' with the same --cfg-options' if args.cfg_options else ''
    print(f'{config}: {summary(findings)}; tools/check.py{same} shows them')


def run_stock(script: str, package: str, argv: Sequence[str]) -> None:
    """Run ``<package>/.mim/tools/<script>`` in this process.

    ``argv`` has the config, too. Raises a UserError where there is no such script.
    """
    path = os.path.join(package_folder(package), '.mim', 'tools', script)
    if not os.path.isfile(path):
        raise UserError(f'{path}: missing; reinstall {package} from its wheel')
    saved = sys.argv
    sys.argv = [path, *argv]
    try:
        runpy.run_path(path, run_name='__main__')
    finally:
        sys.argv = saved
    _leave_process_group()


def package_of(config: str) -> str:
    """Return the package whose scripts run a config: its ``default_scope``.

    Raises a ConfigError where the config can't be read or names none.
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

    Raises a UserError where it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f'{package} is not installed; {INSTALL}')
    return os.path.dirname(spec.origin)


def _require_checkpoint(config: str, arguments: Sequence[str]) -> None:
    """Raise a UserError where the checkpoint, behind the config, is a missing file.

    The runner says the same, but only once data and model are built.
    """
    following = arguments[arguments.index(config) + 1 :][:1]
    for path in following:
        if not (path.startswith('-') or '://' in path or os.path.isfile(path)):
            raise UserError(f'{path}: no such checkpoint')


def _leave_process_group() -> None:
    """End distributed work, and with it this process, without unloading libraries.

    Over gloo, a thread can outlive ``destroy_process_group`` and abort a run that has
    succeeded: two of eight tests on three processes ended like that.
    """
    torch = sys.modules.get('torch')
    if torch and torch.distributed.is_available():
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)


def _is_first_process() -> bool:
    return (os.environ.get('RANK') or os.environ.get('SLURM_PROCID') or '0') == '0'
