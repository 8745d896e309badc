"""Starting quickly: what Python and mmengine would do again and again before a run.

None of it changes what a config says or what a run does. ``benchmarks/start.py``
measures it.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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
def settling() -> Iterator[None]:
    """The same, where it is modules and models: no later search looks at them."""
    with uncollected():
        yield
        gc.freeze()


def skip_model_index() -> None:
    """Let mmengine open an ``mmdet::_base_`` file without asking the model index.

    It reads the index, some hundred YAML files, for each base, finds none there, and
    goes to the folder of configs.
    """
    from mmengine.config import config

    look_up = config._get_external_cfg_path
    if getattr(look_up, 'skips_bases', False):
        return

    def look_up_models(package_path: str, name: str) -> str:
        if name.startswith('_base_/'):
            raise ValueError(f'{name} is no model')  # As where the index has none.
        path: str = look_up(package_path, name)
        return path

    look_up_models.skips_bases = True  # type: ignore[attr-defined]
    config._get_external_cfg_path = look_up_models


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
