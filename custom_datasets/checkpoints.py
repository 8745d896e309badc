"""The checkpoints of a run: which there are, whose weights and classes they have."""

import collections
import errno
import io
import math
import os
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlparse

from custom_datasets.errors import UserError
from custom_datasets.pickles import read_torch, trusting

if TYPE_CHECKING:
    from torch import Tensor


class CheckpointFacts(NamedTuple):
    """What a checkpoint says about itself; None where it says nothing."""

    epoch: int | None = None
    iteration: int | None = None
    classes: tuple[str, ...] | None = None
    palette: Any = None
    saved: str | None = None
    """When it was saved, as ``20261130_133136`` by the clock of that machine."""


class UnavailableError(UserError):
    """A checkpoint does not exist, or its address does not answer."""


def load_checkpoint(
    path: str, *, trust: bool = False, map_location: Any = 'cpu'
) -> dict[str, Any]:
    """Read a checkpoint: a file, or an address of a form that mmengine has.

    With ``trust``, it is read whatever code it runs.

    Raises:
        UnavailableError: There is none.
        UserError: It is damaged, or asks for more than checkpoints need.
    """
    try:
        with trusting(trust):
            content = read_torch(_find(path), map_location)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UnavailableError(f'{path}: no such checkpoint') from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise UserError(f'{path}: cannot be read ({error.strerror})') from error
        # PyTorch seeks to a place that a zip which was cut off does not have.
        raise UserError(f'{path}: incomplete or damaged') from error
    except Exception as error:  # Unpickling raises whatever is in the file.
        reason = f'{type(error).__name__}: {error}'.splitlines()[0]
        raise UserError(f'{path}: incomplete or damaged ({reason})') from error
    if not isinstance(content, dict):
        raise UserError(f'{path}: not a checkpoint, but a {type(content).__name__}')
    named = content.get('state_dict', {})
    if not isinstance(named, Mapping) or not all(isinstance(n, str) for n in named):
        raise UserError(f'{path}: not a checkpoint: state_dict has no weights by name')
    if path.startswith('mmcls://'):
        weights = weights_of(content).items()
        part = {n[9:]: tensor for n, tensor in weights if n.startswith('backbone.')}
        content = {'state_dict': part}
    return content


def read_for_mmengine() -> None:
    """Let mmengine read by :func:`load_checkpoint`, wherever it reads a checkpoint.

    Its own readers take any pickle: with PyTorch before 2.6 at once, later (in the
    maintained line) where the safe way fails.
    """
    from mmengine.runner import CheckpointLoader

    def load_from_safe(path: str, map_location: Any = None) -> dict[str, Any]:
        content = load_checkpoint(path, map_location=map_location)
        if isinstance(content.get('meta'), dict):
            # A resuming runner would execute it, for the sake of a number of GPUs.
            content['meta'].pop('config', None)
        return content

    CheckpointLoader.register_scheme(_SCHEMES, load_from_safe, force=True)


def last_checkpoint(folder: str) -> str | None:
    """Return the checkpoint that a training wrote last, or None.

    mmengine notes an absolute path; the folder may have been moved since.
    """
    try:
        text = Path(folder, 'last_checkpoint').read_text(encoding='utf-8').strip()
    except OSError:
        return None
    moved = os.path.join(folder, os.path.basename(text))
    return next((path for path in (moved, text) if os.path.isfile(path)), None)


def best_checkpoint(folder: str) -> str | None:
    """Return the newest of the checkpoints that ``save_best`` wrote, or None."""
    paths = [str(path) for path in Path(folder).glob('best_*.pth')]
    return max(paths, key=os.path.getmtime, default=None)


def facts_of(checkpoint: Mapping[str, Any]) -> CheckpointFacts:
    """Return what a checkpoint says about itself."""
    epoch, iteration, saved = (
        _inside(checkpoint, 'meta', name) for name in ('epoch', 'iter', 'time')
    )
    return CheckpointFacts(
        epoch if isinstance(epoch, int) else None,
        iteration if isinstance(iteration, int) else None,
        classes_of(checkpoint),
        _inside(checkpoint, 'meta', 'dataset_meta', 'palette'),
        saved if isinstance(saved, str) else None,
    )


def weights_of(checkpoint: Mapping[str, Any]) -> dict[str, 'Tensor']:
    """Return a checkpoint's weights by their names in a single process."""
    from torch import Tensor

    return {
        name.removeprefix('module.'): tensor
        for name, tensor in checkpoint.get('state_dict', checkpoint).items()
        if isinstance(tensor, Tensor) and isinstance(name, str)
    }


def classes_of(checkpoint: Any) -> tuple[str, ...] | None:
    """Return the classes that a checkpoint was trained on, if it names them."""
    content = _inside(checkpoint, 'meta', 'dataset_meta', 'classes')
    if isinstance(content, str):
        return (content,)
    return tuple(map(str, content)) if isinstance(content, (list, tuple)) else None


def checkpoint_classes(path: str) -> tuple[str, ...]:
    """Read a checkpoint's classes without torch, and without executing any of it.

    Empty where it is no zip (PyTorch before 1.6), cannot be read or names none.
    """
    return classes_of(_read_outline(path)) or ()


def checkpoint_precision(path: str) -> str | None:
    """Read in which precision a checkpoint was trained, as :func:`checkpoint_classes`.

    None where it does not say.
    """
    precision = _inside(_read_outline(path), 'meta', 'precision')
    return precision if isinstance(precision, str) else None


def require_classes(
    path: str, trained: Sequence[str] | None, classes: Sequence[str]
) -> None:
    """Raise a UserError where a checkpoint has other classes, or another order.

    As many classes of other names pass: it may have been trained elsewhere.
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
    path: str, weights: Mapping[str, 'Tensor'], wanted: Mapping[str, 'Tensor']
) -> None:
    """Raise a UserError where weights are missing or of another shape.

    mmengine only logs that, and predicts with random ones.
    """
    missing = [n for n in wanted if n not in weights and 'num_batches_tracked' not in n]
    other = [n for n in wanted if n in weights and weights[n].shape != wanted[n].shape]
    if not missing and not other:
        return
    if other:
        shapes = (tuple(tensors[other[0]].shape) for tensors in (weights, wanted))
        what = '{} has shape {}, but the config builds {}'.format(other[0], *shapes)
    else:
        what = f'it has no weights for {missing[0]}'
    more = len(missing) + len(other) - 1
    raise UserError(
        f'{path}: is of another model: {what}{f", and {more} more" * (more > 0)}; give '
        'the config that it was trained with, and its --cfg-options'
    )


def require_finite(path: str, weights: Mapping[str, 'Tensor']) -> None:
    """Raise a UserError where weights are NaN or infinite: they predict nothing."""
    import torch

    # A sum costs a fifth of torch.isfinite on every number.
    bad = [
        name
        for name, tensor in weights.items()
        if tensor.is_floating_point()
        and not math.isfinite(tensor.sum(dtype=torch.float64))
    ]
    if bad:
        raise UserError(
            f'{path}: its training has diverged: {bad[0]} is NaN or infinite'
            f'{f", and {len(bad) - 1} more" * (len(bad) > 1)}; take an earlier '
            'checkpoint'
        )


_SCHEMES = [
    '',
    'http://',
    'https://',
    'mmcls://',
    'modelzoo://',
    'open-mmlab://',
    'openmmlab://',
    'pavi://',
    'torchvision://',
    r'(\S+\:)?petrel://',
    r'(\S+\:)?s3://',
]
"""The patterns for which mmengine has readers."""


def _find(path: str) -> str:
    """Return the file of a checkpoint, which is fetched where it has an address."""
    scheme, separator, name = path.partition('://')
    if not separator:
        return os.path.expanduser(path)
    if scheme in ('http', 'https'):
        return _fetch(path)
    from mmengine.runner import checkpoint as stock

    if scheme in ('modelzoo', 'torchvision'):
        addresses = stock.get_torchvision_models()
    elif scheme in ('open-mmlab', 'openmmlab'):
        addresses = stock.get_external_models()
        name = stock.get_deprecated_model_names().get(name, name)
    elif scheme == 'mmcls':
        addresses = stock.get_mmcls_models()
    else:
        raise UserError(f'{path}: cannot be read from there; fetch it, and give a file')
    if name not in addresses:
        raise UnavailableError(f'{path}: mmengine has no model of this name')
    return _find(addresses[name])


def _fetch(address: str) -> str:
    """Download into PyTorch's cache, the first process before the others."""
    import torch
    from mmengine.dist import barrier, get_rank

    folder = os.path.join(torch.hub.get_dir(), 'checkpoints')
    path = os.path.join(folder, os.path.basename(urlparse(address).path))
    first = get_rank() == 0
    if not first:
        barrier()
    try:
        if not os.path.isfile(path):
            os.makedirs(folder, exist_ok=True)
            torch.hub.download_url_to_file(address, path, progress=os.isatty(2))
    except OSError as error:
        reason = getattr(error, 'reason', None) or error.strerror or error
        raise UnavailableError(f'{address}: cannot be fetched ({reason})') from error
    finally:
        if first:
            barrier()
    return path


def _read_outline(path: str) -> Any:
    """Return a checkpoint with dummies for all that is no plain value, or None."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith('data.pkl')]
            return _Reader(io.BytesIO(archive.read(names[0]))).load()
    except Exception:  # Unzipping and unpickling raise whatever is in the file.
        return None


def _inside(content: Any, *keys: str) -> Any:
    """Return what is under keys, one in another; None where a file has none."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


class _Dummy(dict[Any, Any]):
    """Stands for any object: takes whatever a pickle does to one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ('collections', 'OrderedDict'):
            return collections.OrderedDict
        return _Dummy

    def persistent_load(self, reference: Any) -> Any:
        return _Dummy()
