"""Starting quickly: what Python and mmengine would do again and again before a run.

None of it changes what a config says or what a run does. ``benchmarks/start.py``
measures it.
"""

import builtins
import gc
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

_SETTLED: set[str] = set()
_LATE = ('albumentations', 'imagecorruptions', 'imgaug', 'scipy', 'sklearn')
"""What mmdet and mmpretrain import at once, for classes that few configs name."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from searching what is being made, and stays.

    It would go through all of it again and again, for a tenth of the time and more.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def settling(what: str) -> Iterator[None]:
    """The same, and the first of each kind that is made is never searched again.

    What is frozen is not freed, if it is in a circle: a process that makes one model
    after another would keep them all.
    """
    with uncollected():
        yield
        if what not in _SETTLED:
            _SETTLED.add(what)
            gc.freeze()


@contextmanager
def late_imports() -> Iterator[None]:
    """Let mmdet and mmpretrain import some large packages when they first use them.

    Only what these two import meanwhile: any other module gets the package itself.
    """
    importing = builtins.__import__

    def import_or_wait(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        package = name.partition('.')[0]
        importer = str((globals or {}).get('__name__'))
        waits = (
            package in _LATE
            and importer.startswith(('mmdet.', 'mmpretrain.'))
            and package not in sys.modules
            and find_spec(package)
        )
        if waits:
            return _late_module(name, fromlist or ())
        return importing(name, globals, locals, fromlist or (), level)

    builtins.__import__ = import_or_wait
    try:
        yield
    finally:
        builtins.__import__ = importing


def find_bases_quickly() -> None:
    """Let mmengine open an ``mmdet::_base_`` file without a search for it.

    For each, it reads the model index, some hundred YAML files, finds none there, and
    goes to the folder of configs. Up to 0.10.7 it also loads ``pkg_resources`` anew to
    see whether mmdet is installed.
    """
    from mmengine.config import config

    look_up, is_installed = config._get_external_cfg_path, config.is_installed
    if getattr(look_up, 'skips_bases', False):
        return

    def look_up_models(package_path: str, name: str) -> str:
        if name.startswith('_base_/'):
            raise ValueError(f'{name} is no model')  # As where the index has none.
        path: str = look_up(package_path, name)
        return path

    def is_there(package: str) -> bool:
        spec = find_spec(package)
        return bool(spec and spec.origin) or bool(is_installed(package))

    look_up_models.skips_bases = True  # type: ignore[attr-defined]
    config._get_external_cfg_path = look_up_models
    config.is_installed = is_there


def format_once() -> None:
    """Let mmengine format a config once for the log, the two dumps and the hub."""
    from mmengine.config import config
    from yapf.yapflib import yapf_api

    if isinstance(yapf_api.FormatCode, _Remembered):
        return
    # mmengine 0.10.7 takes it when it is imported, later versions at each call.
    yapf_api.FormatCode = config.FormatCode = _Remembered(yapf_api.FormatCode)


class _Remembered:
    """A function that remembers its last call."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._call: str | None = None
        self._result: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = repr((args, kwargs))
        if call != self._call:
            self._call, self._result = call, self._function(*args, **kwargs)
        return self._result


class _Late:
    """A module, or an object in one, that is imported when it is first used."""

    def __init__(self, module: str, name: str | None = None) -> None:
        self._module = module
        self._name = name

    def _load(self) -> Any:
        module = importlib.import_module(self._module)
        return getattr(module, self._name) if self._name else module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._load(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._load()(*args, **kwargs)


def _late_module(name: str, names: Sequence[str]) -> Any:
    """Return what an import statement takes its names from."""
    if names:  # from name import names
        return SimpleNamespace(**{each: _Late(name, each) for each in names})
    package, *inner = name.split('.')
    late = outer = _Late(package)
    for each in inner:  # import package.inner as something
        package = f'{package}.{each}'
        setattr(outer, each, _Late(package))
        outer = getattr(outer, each)
    return late
