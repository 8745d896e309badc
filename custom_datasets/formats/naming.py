"""Names for images in a destination."""

import os
import re

from custom_datasets.formats.source import WHOLE, Source
from custom_datasets.images import without_suffix


def name_images(source: Source, target: str) -> tuple[dict[str, list[str]], list[str]]:
    """Give each image a path in the destination, without its folder of images.

    Paths are the source's where they can be. No two are equal without their
    suffix and case, because they share that name with a text or XML file; an
    image that is in two parts with the same objects is there once.

    Returns:
        The paths of each part's images, and what had to be renamed.
    """
    given: dict[tuple[object, ...], str] = {}
    taken: set[str] = set()
    renamed = []
    names: dict[str, list[str]] = {}
    for split, records in source.splits.items():
        folder = f'{split}/' if target == 'class-lists' and split != WHOLE else ''
        names[split] = []
        for record in records:
            key = (folder, record.image, record.label, record.boxes)
            if key not in given:
                suffix = os.path.splitext(str(record.image))[1]
                wanted = f'{folder}{record.name}'
                stem = _free(_clean(wanted), taken)
                given[key] = f'{stem}{suffix}'
                taken.add(stem.casefold())
                if stem != wanted:
                    renamed.append(f'{record.name}{suffix} -> {stem}{suffix}')
            names[split].append(given[key])
    return names, renamed


def _clean(name: str) -> str:
    """Make a path safe for lists: a name a line, and no second suffix."""
    name = '/'.join(
        re.sub(r'[\x00-\x1f\ud800-\udfff]', '_', part).strip() or '_'
        for part in name.split('/')
    )
    while without_suffix(name) != name:
        stem, suffix = os.path.splitext(name)
        name = f'{stem}_{suffix[1:]}'
    return name


def _free(stem: str, taken: set[str]) -> str:
    number, free = 1, stem
    while free.casefold() in taken:
        number += 1
        free = f'{stem}-{number}'
    return free
