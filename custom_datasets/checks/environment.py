"""Checks of what is installed and of the machine."""

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.checks.codes import find
from custom_datasets.config import LOADERS, iter_dicts
from custom_datasets.data.problems import Finding
from custom_datasets.versions import (
    TESTED,
    installed_version,
    is_tested,
    package_folder,
)

MIN_DISK_GB = 5
MIN_SHARED_MB = 512


def check_environment(cfg: Mapping[str, Any], work_dir: str) -> list[Finding]:
    """Check versions, operators, GPU, disk and shared memory.

    ``work_dir`` is where the run will write; it need not exist.
    """
    versions = {package: installed_version(package) for package in TESTED}
    return [
        *check_versions(versions),
        *check_devices(list_gpus(), cuda_build()),
        _disk(work_dir),
        *_shared_memory(cfg),
        find('operators', operators_origin()),
    ]


def check_versions(versions: Mapping[str, str | None]) -> list[Finding]:
    """Compare versions with those that the tests ran on."""
    findings, table = [], []
    for name, version in versions.items():
        if version is None:
            continue
        low, high = TESTED[name]
        table.append(f'{name} {version} (tested {low} to {high})')
        if not is_tested(name, version):
            text = f'{name} {version} was not tested; {low} to {high} were'
            findings.append(find('untested-version', text))
    return [find('versions', ', '.join(table)), *findings]


def check_devices(gpus: Sequence[str], cuda: str | None) -> list[Finding]:
    """Say what will train, and find a GPU that this torch can't use."""
    built = f'torch built for CUDA {cuda}' if cuda else 'torch built for the CPU only'
    if gpus and cuda is None:
        return [find('gpu-unused', f'{"; ".join(gpus)}, but {built}')]
    what = '; '.join(gpus) or 'no GPU is visible: training runs on the CPU'
    return [find('device', f'{what} ({built})')]


def operators_origin() -> str:
    """Say where ``mmcv.ops`` takes its kernels from."""
    folder = package_folder('mmcv')
    if folder and glob.glob(os.path.join(folder, '_ext*')):
        return "mmcv's operators are compiled"
    return "mmcv's operators come from torchvision's kernels (custom_datasets.ops)"


def list_gpus() -> list[str]:
    """List name, memory and driver of each NVIDIA GPU, as ``nvidia-smi`` does."""
    if os.environ.get('CUDA_VISIBLE_DEVICES') in ('', '-1'):
        return []
    command = ['nvidia-smi', '--query-gpu=name,memory.total,driver_version']
    try:
        done = subprocess.run(
            [*command, '--format=csv,noheader'],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


def cuda_build() -> str | None:
    """Return the CUDA version that torch was built for, without importing it."""
    path = os.path.join(package_folder('torch') or '', 'version.py')
    if not os.path.isfile(path):
        return None
    with open(path, encoding='utf-8') as file:
        match = re.search(r"^cuda\b[^=]*= *'([^']+)'", file.read(), re.MULTILINE)
    return match and match[1]


def _disk(work_dir: str) -> Finding:
    folder = os.path.abspath(work_dir)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free / 1e9
    case = '' if free < MIN_DISK_GB else 'there is enough'
    text = f'{free:.1f} GB free for checkpoints'
    return find('disk-space', text, case=case, file=folder)


def _shared_memory(cfg: Mapping[str, Any], folder: str = '/dev/shm') -> list[Finding]:
    loaders = [part for name in LOADERS for part in iter_dicts(cfg.get(name))]
    workers = max((part.get('num_workers') or 0 for part in loaders), default=0)
    if not workers or not os.path.isdir(folder):
        return []
    free = shutil.disk_usage(folder).free / 1e6
    if free >= MIN_SHARED_MB:
        return []
    text = f'{free:.0f} MB of shared memory for {workers} loader workers'
    return [find('shared-memory', text, file=folder)]
