"""Checks of what is installed and of the machine."""

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

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

    Args:
        cfg: The config.
        work_dir: Where the run will write; it need not exist.
    """
    versions = {package: installed_version(package) for package in TESTED}
    gpus = list_gpus()
    return [
        *check_versions(versions),
        *check_devices(gpus, cuda_build()),
        *_disk(work_dir),
        *_shared_memory(cfg),
        Finding(code='operators', severity='note', message=operators_origin()),
    ]


def check_versions(versions: Mapping[str, str | None]) -> list[Finding]:
    """Compare versions with those that the tests ran on."""
    known = {name: version for name, version in versions.items() if version}
    table = ', '.join(
        f'{name} {version} (tested {" to ".join(TESTED[name])})'
        for name, version in known.items()
    )
    findings = [Finding(code='versions', severity='note', message=table)]
    for name, version in known.items():
        if not is_tested(name, version):
            findings.append(
                Finding(
                    code='untested-version',
                    severity='warning',
                    message=f'{name} {version} is outside of what was tested: '
                    f'{" to ".join(TESTED[name])}',
                    hint='if something fails, try a tested one (make install)',
                )
            )
    return findings


def check_devices(gpus: Iterable[str], cuda: str | None) -> list[Finding]:
    """Say what will train, and find a GPU that this torch can't use."""
    gpus = list(gpus)
    built = f'torch built for CUDA {cuda}' if cuda else 'torch built for the CPU only'
    if gpus and cuda is None:
        return [
            Finding(
                code='gpu-unused',
                severity='warning',
                message=f'{"; ".join(gpus)}, but {built}',
                hint='install a torch that is built for CUDA',
            )
        ]
    what = '; '.join(gpus) or 'no GPU is visible: training runs on the CPU'
    return [Finding(code='device', severity='note', message=f'{what} ({built})')]


def operators_origin() -> str:
    """Say where ``mmcv.ops`` takes its kernels from."""
    folder = package_folder('mmcv')
    if folder and glob.glob(os.path.join(folder, '_ext*')):
        return "mmcv's operators are compiled"
    return "mmcv's operators come from torchvision's kernels (custom_datasets.ops)"


def list_gpus() -> list[str]:
    """Return name, memory and driver of each NVIDIA GPU, as its tool has them."""
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
        found = re.search(r"^cuda\b[^=]*= *'([^']+)'", file.read(), re.MULTILINE)
    return found and found[1]


def _disk(work_dir: str) -> list[Finding]:
    folder = os.path.abspath(work_dir)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free / 1e9
    few = free < MIN_DISK_GB
    return [
        Finding(
            code='disk-space',
            severity='warning' if few else 'note',
            message=f'{free:.1f} GB free for checkpoints',
            hint='a detector with ResNet-50 writes 0.3 GB each' if few else '',
            file=folder,
        )
    ]


def _shared_memory(cfg: Mapping[str, Any], folder: str = '/dev/shm') -> list[Finding]:
    loaders = [d for name in LOADERS for d in iter_dicts(cfg.get(name))]
    workers = max((d.get('num_workers') or 0 for d in loaders), default=0)
    if not workers or not os.path.isdir(folder):
        return []
    free = shutil.disk_usage(folder).free / 1e6
    if free >= MIN_SHARED_MB:
        return []
    return [
        Finding(
            code='shared-memory',
            severity='warning',
            message=f'{free:.0f} MB of shared memory for {workers} loader workers',
            hint='docker run --shm-size=2g, or num_workers=0',
            file=folder,
        )
    ]
