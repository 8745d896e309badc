"""What a checkpoint says of itself, without torch and without executing it.

PyTorch's file format is a zip with one pickle, whose tensors are references.
The pickle is read with every class but plain containers replaced by a dummy.
"""

import collections
import io
import pickle
import zipfile
from typing import Any

# What unpickling may raise, as its documentation says, on content that is broken.
_BROKEN = (
    zipfile.BadZipFile,
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
)


def checkpoint_classes(path: str) -> tuple[str, ...]:
    """Read the class names in the ``meta`` that mmengine writes beside weights.

    Returns:
        None at all where the file is no zip of PyTorch's (before 1.6), is
        damaged or does not say.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith('data.pkl')]
            content = _Reader(io.BytesIO(archive.read(names[0]))).load()
    except _BROKEN:
        return ()
    meta = content.get('meta') if isinstance(content, dict) else None
    data = meta.get('dataset_meta') if isinstance(meta, dict) else None
    classes = data.get('classes') if isinstance(data, dict) else None
    if isinstance(classes, str):
        return (classes,)
    return tuple(map(str, classes)) if isinstance(classes, (list, tuple)) else ()


class _Dummy(dict[Any, Any]):
    """Stands for any object: takes whatever a pickle does to one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take anything."""

    def __setstate__(self, state: Any) -> None:
        """Take anything."""

    def append(self, value: Any) -> None:
        """Take anything."""

    def extend(self, values: Any) -> None:
        """Take anything."""

    def __hash__(self) -> int:  # type: ignore[override]
        """Be a key, too."""
        return id(self)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return containers, and a dummy for everything else."""
        if (module, name) == ('collections', 'OrderedDict'):
            return collections.OrderedDict
        return _Dummy

    def persistent_load(self, reference: Any) -> Any:
        """Return a dummy for a tensor's storage."""
        return _Dummy()
