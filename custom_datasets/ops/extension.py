"""The stand-in for ``mmcv._ext`` and the finder that offers it."""

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn

from custom_datasets.ops.uncovered import not_covered

EXTENSION = 'mmcv._ext'

_ONLY_USED_BY_OPERATORS = 'mmcv.utils.ext_loader'


class StandIn(MetaPathFinder, Loader):
    """Finds and loads the stand-in, once every other finder has failed.

    As the last entry of ``sys.meta_path`` it can't hide a compiled
    ``mmcv._ext``, and nothing heavy is imported before mmcv asks for it.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return a spec for ``mmcv._ext``, and None for any other name."""
        if fullname != EXTENSION:
            return None
        return ModuleSpec(fullname, self, origin=__file__)

    def exec_module(self, module: ModuleType) -> None:
        """Fill `module` with the operators.

        mmcv asks for all of its operators when it is imported. A name that
        isn't covered therefore exists, and raises once it is called.
        """
        from custom_datasets.ops import deform, focal, nms, roi

        for source in (deform, focal, nms, roi):
            for name in source.__all__:
                setattr(module, name, getattr(source, name))
        module.__dict__.update(
            __doc__=__doc__,
            __getattr__=_stub,
            get_compiler_version=get_compiler_version,
            get_compiling_cuda_version=get_compiling_cuda_version,
        )


def install() -> bool:
    """Let ``mmcv.ops`` be imported where mmcv has no compiled operators.

    It returns whether the stand-in serves as ``mmcv._ext``: not if mmcv has compiled
    operators or isn't installed, or another module already took that name. Call it
    before ``mmcv.ops`` is imported; a second call does nothing. After a failed import
    the next one succeeds, but modules that caught the failure (mmdet's heads and
    losses do) go on without operators, so a warning says so. Neither mmcv nor torch
    is imported.

    A compiled ``mmcv._ext`` is left alone even if it can't be loaded, say because it
    was built for another torch: importing ``mmcv.ops`` then fails with the dynamic
    linker's message, rather than going on with other kernels than those installed on
    purpose.
    """
    if EXTENSION in sys.modules:
        spec = getattr(sys.modules[EXTENSION], '__spec__', None)
        return isinstance(getattr(spec, 'loader', None), StandIn)
    mmcv = find_spec('mmcv')
    if mmcv is None:
        return False
    if PathFinder.find_spec(EXTENSION, mmcv.submodule_search_locations):
        return False
    if any(isinstance(finder, StandIn) for finder in sys.meta_path):
        return True
    sys.meta_path.append(StandIn())
    if _ONLY_USED_BY_OPERATORS in sys.modules:
        warnings.warn(
            'mmcv.ops was imported, and failed, before custom_datasets could '
            'supply its operators. Modules of mmdet that were loaded by then '
            'go on without them: import custom_datasets first.',
            stacklevel=2,
        )
    return True


def get_compiler_version() -> str:
    """Return what mmcv reports as the compiler of its operators."""
    import torchvision

    return f'none, operators of torchvision {torchvision.__version__}'


def get_compiling_cuda_version() -> str:
    """Return the CUDA version of torch, or ``not available``."""
    import torch

    return torch.version.cuda or 'not available'


def _stub(name: str) -> Callable[..., NoReturn]:
    if name.startswith('_'):
        raise AttributeError(f'module {EXTENSION!r} has no attribute {name!r}')
    return partial(not_covered, name)
