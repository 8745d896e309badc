"""What a run runs in: command, commit, versions, hardware, memory."""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import torch

from custom_datasets import __version__
from custom_datasets.cli import add_cfg_options
from custom_datasets.versions import installed_version

_MOST_CHANGED = 20
_PACKAGES = ('torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'numpy')


class GitState(TypedDict):
    """A commit and the files that differ from it; None where ``why`` says so.

    ``changes`` counts them all, untracked ones too; ``changed`` lists the first.
    """

    commit: str | None
    dirty: bool | None
    changes: int | None
    changed: list[str] | None
    why: str | None


class Hardware(TypedDict):
    """The processor, the cores that may be used, memory in GB, and GPUs."""

    cpu: str
    cores: int
    ram_gb: float | None
    gpus: list[str]


class Memory(TypedDict):
    """The peak of a run's memory in MB (millions of bytes), and what was measured."""

    peak_memory_mb: float | None
    memory_of: str


def git_state(folder: str) -> GitState:
    """Return the commit that a folder is at, and what differs from it."""
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
    return {
        'commit': None,
        'dirty': None,
        'changes': None,
        'changed': None,
        'why': why,
    }


def versions() -> dict[str, str | None]:
    """Return the versions of the packages that affect a run."""
    import cv2

    return {
        'python': platform.python_version(),
        'torch': torch.__version__,
        **{name: installed_version(name) for name in _PACKAGES},
        'opencv': cv2.__version__,
        'mm-custom-datasets': __version__,
    }


def hardware() -> Hardware:
    """Describe this machine."""
    gpus = []
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        gpus.append(f'{facts.name}, {facts.total_memory / 1e9:.0f} GB')
    linux = sys.platform == 'linux'
    return {
        'cpu': _cpu_name(),
        'cores': len(os.sched_getaffinity(0)) if linux else os.cpu_count() or 1,
        'ram_gb': _memory_gb(),
        'gpus': gpus,
    }


def peak_memory(workers: Iterable[int] = ()) -> Memory:
    """Return the most memory that this process has had so far.

    On a GPU that is what its tensors took; otherwise the resident memory of this
    process and of the loader workers with these ids, shared pages counted in each.
    """
    if torch.cuda.is_available():
        used = torch.cuda.max_memory_allocated()
        return {'peak_memory_mb': round(used / 1e6, 1), 'memory_of': 'GPU'}
    peaks = [_peak_of(pid) for pid in (os.getpid(), *workers)]
    if peaks[0] is None:
        return {'peak_memory_mb': None, 'memory_of': 'unknown on this system'}
    total = sum(peak for peak in peaks if peak is not None) / 1e6
    return {
        'peak_memory_mb': round(total, 1),
        'memory_of': 'process and loader workers' if len(peaks) > 1 else 'process',
    }


def free_memory() -> int:
    """Return how many bytes may still be taken, as Linux and its containers say.

    Elsewhere that is all of the memory.
    """
    amounts = [round(1e9 * (_memory_gb() or 0))]
    if os.path.isfile('/proc/meminfo'):
        with open('/proc/meminfo', encoding='utf-8') as file:
            lines = [line.split() for line in file]
        amounts += [int(line[1]) * 1024 for line in lines if line[0] == 'MemAvailable:']
    group = '/sys/fs/cgroup'
    limit, used = (_number_in(f'{group}/memory.{n}') for n in ('max', 'current'))
    if limit is not None and used is not None:
        amounts.append(max(0, limit - used))
    return min(amounts)


def command(argv: Sequence[str]) -> list[str]:
    """Return a command line as typed, without the path of a stock script."""
    script = argv[0].replace(os.sep, '/')
    if '/.mim/tools/' in script:
        script = 'tools/' + script.rpartition('/')[2]
    return [script, *argv[1:]]


def overrides(argv: Sequence[str]) -> dict[str, Any]:
    """Return the ``--cfg-options`` of a command line."""
    parser = argparse.ArgumentParser(add_help=False)
    add_cfg_options(parser)
    options: dict[str, Any] = parser.parse_known_args(list(argv[1:]))[0].cfg_options
    return options


def _git(folder: str, *arguments: str) -> str:
    done = subprocess.run(
        ['git', '-C', folder, *arguments],
        # A run must not hold a lock that a commit made meanwhile needs.
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


def _memory_gb() -> float | None:
    if 'SC_PHYS_PAGES' not in getattr(os, 'sysconf_names', ()):
        return None
    total = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return round(total / 1e9, 1)


def _number_in(path: str) -> int | None:
    """Return what a file says; None where there is none, or no limit."""
    try:
        with open(path, encoding='utf-8') as file:
            text = file.read().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


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
