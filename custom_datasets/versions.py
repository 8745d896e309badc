"""What is installed, and what was tested."""

import importlib.metadata
import importlib.util
import os
import re

TESTED = {
    'mmengine': ('0.10.7', '0.10.12'),
    'mmcv': ('2.1.0', '2.3.6'),
    'mmdet': ('3.3.0', '3.5.1'),
    'mmpretrain': ('1.2.0', '1.3.6'),
    'torch': ('2.1.2', '2.11.0'),
    'torchvision': ('0.16.2', '0.26.0'),
}
"""The oldest and the newest version of each package that the tests ran on."""

INSTALL = (
    'in the plugin\'s folder, pip install -e ".[onedl]" brings the maintained line '
    'and pip install -e ".[openmmlab]" the original one'
)
"""What to do where mmdet or mmpretrain is missing."""

_DISTRIBUTIONS = {
    'mmengine': ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
    'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-lite'),
    'mmdet': ('onedl-mmdetection', 'mmdet'),
    'mmpretrain': ('onedl-mmpretrain', 'mmpretrain'),
}


def installed_version(package: str) -> str | None:
    """Return the version of the distribution that brings a package, if installed."""
    for name in _DISTRIBUTIONS.get(package, (package,)):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return None


def is_tested(package: str, version: str) -> bool:
    """Say whether a version is between the oldest and the newest that was tested."""
    oldest, newest = map(_parts, TESTED[package])
    return oldest <= _parts(version) <= newest


def package_folder(package: str) -> str | None:
    """Return where a package is installed, without importing it."""
    spec = importlib.util.find_spec(package)
    return os.path.dirname(spec.origin) if spec and spec.origin else None


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r'\d+', version.split('+')[0])[:3])
