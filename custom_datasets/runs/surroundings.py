"""What a run ran in: the repository, the versions, the machine, the command."""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from custom_datasets import __version__
from custom_datasets.checking.environment import installed_version
from custom_datasets.cli import add_cfg_options

_MOST_CHANGED = 20
_PACKAGES = ('torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'numpy')


def git_state(folder: str) -> dict[str, Any]:
    """Return the commit that a folder is at, and what differs from it.

    Returns:
        ``commit``; ``dirty``; ``changes``, how many files differ (untracked ones
        too); ``changed``, the first of them; ``why``, which says what is wrong
        where the others are None.
    """
    try:
        commit = _git(folder, 'rev-parse', 'HEAD').strip()
        status = _git(folder, 'status', '--porcelain')
    except FileNotFoundError:
        why = 'git is not installed'
    except subprocess.TimeoutExpired:
        why = 'git took more than 10 seconds'
    except subprocess.CalledProcessError as error:
        why = (error.stderr.strip().splitlines() or ['git failed'])[0]
    else:
        changed = [line[3:] for line in status.splitlines()]
        return {
            'commit': commit,
            'dirty': bool(changed),
            'changes': len(changed),
            'changed': changed[:_MOST_CHANGED],
            'why': None,
        }
    unknown = dict.fromkeys(('commit', 'dirty', 'changes', 'changed'))
    return {**unknown, 'why': why}


def versions() -> dict[str, str | None]:
    """Return the versions of what decides how a run goes."""
    import cv2

    packages = {name: installed_version(name) for name in _PACKAGES}
    return {
        'python': platform.python_version(),
        'torch': torch.__version__,
        **packages,
        'opencv': cv2.__version__,
        'mm-custom-datasets': __version__,
    }


def hardware() -> dict[str, Any]:
    """Return the processor, the cores that may be used, memory in GB and GPUs."""
    gpus = []
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        gpus.append(f'{facts.name}, {facts.total_memory / 1e9:.0f} GB')
    return {
        'cpu': _cpu_name(),
        'cores': _usable_cores(),
        'ram_gb': _memory_gb(),
        'gpus': gpus,
    }


def command(argv: Sequence[str]) -> list[str]:
    """Return a command line as it was typed, from that of the stock script.

    Args:
        argv: ``sys.argv``; :func:`custom_datasets.stock.run_stock` puts the
            path of the stock script first.
    """
    script = argv[0].replace(os.sep, '/')
    if '/.mim/tools/' in script:
        script = 'tools/' + script.rpartition('/')[2]
    return [script, *argv[1:]]


def overrides(argv: Sequence[str]) -> dict[str, Any]:
    """Return what ``--cfg-options`` says in a command line."""
    parser = argparse.ArgumentParser(add_help=False)
    add_cfg_options(parser)
    given: dict[str, Any] = parser.parse_known_args(list(argv[1:]))[0].cfg_options
    return given


def short_path(path: str) -> str:
    """Write a path as seen from the current folder, where it lies below that."""
    short = os.path.relpath(path)
    return path if short.startswith(os.pardir) else short


def peak_memory(workers: Iterable[int] = ()) -> dict[str, Any]:
    """Return the most memory that this process had until now.

    On a GPU what its tensors took; else what this process and the given ones
    (of loader workers) had resident, each at its own peak. Pages that they
    share count in each.

    Args:
        workers: Process ids.
    """
    if torch.cuda.is_available():
        used = torch.cuda.max_memory_allocated()
        return {'peak_memory_mb': round(used / 1e6, 1), 'memory_of': 'GPU'}
    peaks = [_peak_of(pid) for pid in (os.getpid(), *workers)]
    if peaks[0] is None:
        return {'peak_memory_mb': None, 'memory_of': 'this system does not tell'}
    total = sum(peak for peak in peaks if peak is not None) / 1e6
    return {
        'peak_memory_mb': round(total, 1),
        'memory_of': 'process and loader workers' if len(peaks) > 1 else 'process',
    }


def _git(folder: str, *arguments: str) -> str:
    done = subprocess.run(
        ['git', '-C', folder, *arguments],
        # A run must not hold the lock that a commit beside it wants.
        env={**os.environ, 'GIT_OPTIONAL_LOCKS': '0'},
        capture_output=True,
        text=True,
        errors='replace',
        timeout=10,
        check=True,
    )
    return done.stdout


def _cpu_name() -> str:
    if os.path.isfile('/proc/cpuinfo'):
        with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as file:
            for line in file:
                if line.startswith('model name'):
                    return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    if sys.platform == 'linux':
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gb() -> float | None:
    if 'SC_PHYS_PAGES' not in getattr(os, 'sysconf_names', ()):
        return None
    total = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return round(total / 1e9, 1)


def _peak_of(pid: int) -> int | None:
    """Return a process's peak of resident memory in bytes, where Linux tells."""
    try:
        with open(f'/proc/{pid}/status', encoding='utf-8') as file:
            for line in file:
                if line.startswith('VmHWM:'):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return None
