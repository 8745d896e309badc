"""The check of the list that says where images are from."""

import os
from collections import Counter
from collections.abc import Sequence

from custom_datasets.checking.finding import Finding
from custom_datasets.checking.sources import Source
from custom_datasets.errors import UserError
from custom_datasets.evaluation.sources import FILE, find_sources
from custom_datasets.records import SplitRecords


def check_origins(
    sources: Sequence[Source], splits: Sequence[SplitRecords]
) -> list[Finding]:
    """Find a ``sources.txt`` that can't be read, or that lacks images of a split.

    Args:
        sources: The data sets of a config.
        splits: Their records.
    """
    images = [
        (split.split, image.image)
        for split in splits
        for image in split.images
        if image.image is not None
    ]
    try:
        found = find_sources([path for _, path in images])
    except UserError as error:
        return [
            Finding(
                code='broken-sources',
                severity='error',
                message=str(error),
                hint='one image or folder a line, a tab, and the name of its source',
            )
        ]
    if not any(found) and not any(
        os.path.isfile(os.path.join(source.root, FILE)) for source in sources
    ):
        return []
    counts = Counter(split for split, _ in images)
    lost = Counter(
        split for (split, _), name in zip(images, found, strict=True) if not name
    )
    return [
        Finding(
            code='unknown-source',
            severity='warning',
            message=f'{FILE} names the source of {counts[split] - count} of '
            f'{counts[split]} images',
            hint='the others are in no row of their own in the report',
            split=split,
        )
        for split, count in lost.items()
    ]
