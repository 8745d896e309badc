"""Small data sets of your own, registered for MMDetection and MMPretrain.

Importing a module of this package registers its classes. The first import
also makes sure that ``mmcv.ops`` can be imported where mmcv was installed
without compiled operators, so it must come before ``mmcv.ops``.
"""

import os as _os
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from custom_datasets.ops import install as _install_operators

if _TYPE_CHECKING:
    from custom_datasets.predicting.predictor import Predictor as Predictor

__all__ = ['Predictor']
__version__ = '0.1.0'

# mmdet and mmpretrain import Albumentations, which would ask the package index for a
# newer version each time.
_os.environ.setdefault('NO_ALBUMENTATIONS_UPDATE', '1')
# Threads that spin while they wait stall a CPU run beside any other process
# (benchmarks/cpu_step.py). Read when torch loads.
_os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
# What Apple's GPU lacks runs on the CPU, and PyTorch warns. Read when torch loads, too.
_os.environ.setdefault('PYTORCH_ENABLE_MPS_FALLBACK', '1')
_install_operators()


def __getattr__(name: str) -> _Any:
    """Import ``Predictor``, and with it torch, when it is first used."""
    if name == 'Predictor':
        from custom_datasets.predicting.predictor import Predictor

        return Predictor
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
