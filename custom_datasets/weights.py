"""Whether a checkpoint is one of a model and of its classes."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from custom_datasets.errors import UserError


def weights_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
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
    path: str, given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
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
