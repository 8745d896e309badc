"""Split lists for the face mask set, which comes without any."""

import os
from collections.abc import Sequence

from custom_datasets.data.split import split_dataset
from custom_datasets.errors import UserError

RATIOS = {'train': 8, 'val': 1, 'test': 1}


def write_split(
    root: str,
    classes: Sequence[str],
    *,
    out: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> str:
    """Write ``ImageSets/Main/{train,val,test}.txt``, 8:1:1, and return a table.

    ``classes`` are the names that the annotations may use, and must; see
    :func:`~custom_datasets.data.split.split_dataset`.
    """
    folder = os.path.join(root, 'annotations')
    if not os.path.isdir(folder):
        raise UserError(
            f'{folder}: does not exist; give the folder that holds images and '
            'annotations'
        )
    return split_dataset(
        root, RATIOS, classes=classes, out=out, seed=seed, overwrite=overwrite
    )
