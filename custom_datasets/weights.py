"""Whether a checkpoint's weights are those of a model."""

from collections.abc import Mapping

from torch import Tensor

from custom_datasets.errors import UserError


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
