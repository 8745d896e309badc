"""Whether a checkpoint is one of a model and of its classes."""

import collections
import io
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from custom_datasets.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


def weights_of(checkpoint: Mapping[str, Any]) -> dict[str, 'Tensor']:
    """Return a checkpoint's weights by the names that one process gives them."""
    weights = checkpoint.get('state_dict', checkpoint)
    return {name.removeprefix('module.'): tensor for name, tensor in weights.items()}


def classes_of(checkpoint: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the classes that a checkpoint was trained on, if it names them."""
    meta = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
    names = meta.get('classes')
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else None


def require_classes(
    path: str, trained: Sequence[str] | None, classes: Sequence[str]
) -> None:
    """Raise where a checkpoint has other classes, or numbers them otherwise.

    Where as many have other names it is one that was trained elsewhere.

    Args:
        path: The checkpoint, for the message.
        trained: As of :func:`classes_of`.
        classes: Those of the data set.

    Raises:
        UserError: With both lists.
    """
    if trained is None or list(trained) == list(classes):
        return
    if len(trained) != len(classes) or set(trained) == set(classes):
        raise UserError(
            f'{path}: was trained on {len(trained)} classes ({", ".join(trained)}), '
            f'but the config has {len(classes)} ({", ".join(classes)}); give the '
            'config that it was trained with, and its --cfg-options'
        )


def require_weights(
    path: str, given: Mapping[str, 'Tensor'], wanted: Mapping[str, 'Tensor']
) -> None:
    """Raise where weights are missing or of another shape.

    mmengine only logs that, and predicts with random ones.

    Args:
        path: The checkpoint, for the message.
        given: Its weights by name.
        wanted: Those of the model.

    Raises:
        UserError: With the first that does not fit.
    """
    missing = [n for n in wanted if n not in given and 'num_batches_tracked' not in n]
    other = [n for n in wanted if n in given and given[n].shape != wanted[n].shape]
    if not missing and not other:
        return
    if other:
        shapes = (tuple(tensors[other[0]].shape) for tensors in (given, wanted))
        what = '{} has shape {}, but the config builds {}'.format(other[0], *shapes)
    else:
        what = f'there are no weights for {missing[0]}'
    rest = len(missing) + len(other) - 1
    raise UserError(
        f'{path}: is of another model: {what}{f", and {rest} more" * (rest > 0)}; give '
        'the config that it was trained with, and its --cfg-options'
    )


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
