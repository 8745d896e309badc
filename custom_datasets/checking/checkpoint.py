"""What a checkpoint says of itself, without torch and without executing it.

PyTorch's file format is a zip with one pickle, whose tensors are references.
The pickle is read with every class but plain containers replaced by a dummy.
"""

import collections
import io
import pickle
import zipfile
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CheckpointFacts:
    """What is known of a checkpoint.

    Attributes:
        classes: Names it was trained on; empty where it does not say.
        epoch: Epochs it was trained for; None where it does not say.
    """

    classes: tuple[str, ...] = ()
    epoch: int | None = None


def read_checkpoint(path: str) -> CheckpointFacts:
    """Read the ``meta`` that mmengine writes beside the weights.

    Returns:
        Empty facts where the file is no zip of PyTorch's (before 1.6), is
        damaged or has no such entry.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inner = next(n for n in archive.namelist() if n.endswith('data.pkl'))
            content = _Reader(io.BytesIO(archive.read(inner))).load()
    except (zipfile.BadZipFile, StopIteration, pickle.UnpicklingError, EOFError):
        return CheckpointFacts()
    meta = content.get('meta') if isinstance(content, dict) else None
    if not isinstance(meta, dict):
        return CheckpointFacts()
    data = meta.get('dataset_meta') or {}
    classes = data.get('classes') or data.get('CLASSES') or ()
    names = [classes] if isinstance(classes, str) else classes
    epoch = meta.get('epoch')
    return CheckpointFacts(
        tuple(str(name) for name in names), epoch if isinstance(epoch, int) else None
    )


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
