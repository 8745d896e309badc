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
    """Write ``ImageSets/Main/{train,val,test}.txt``, 8:1:1.

    See :func:`~custom_datasets.data.split.split_dataset`, which
    does it. Images and annotations are only read.

    Args:
        root: Folder with ``images`` and ``annotations``.
        classes: Names that the annotations may use, and must.
        out: A folder to write to where ``root`` is read-only; it also gets
            links to ``images`` and ``annotations``. Defaults to ``root``.
        seed: Another seed gives another split.
        overwrite: Replace other lists that are already there.

    Returns:
        A table of images and boxes in each part, and what was grouped or left
        out.

    Raises:
        UserError: ``root`` has no annotations, different lists are there, or
            the lists can't be written.
        AnnotationError: With every broken file, missing image, unknown class
            and class without a box.
    """
    folder = os.path.join(root, 'annotations')
    if not os.path.isdir(folder):
        raise UserError(f'{folder}: no such folder; give the one that images/ is in')
    return split_dataset(
        root, RATIOS, classes=classes, out=out, seed=seed, overwrite=overwrite
    )
