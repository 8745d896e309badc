"""Which images of class folders are better left out: listed, never touched."""

import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from custom_datasets.data.cache import ResultCache
from custom_datasets.data.image_facts import ImageFacts
from custom_datasets.data.likeness import content_groups
from custom_datasets.data.lists import split_class_folders, write_lists
from custom_datasets.data.names import read_lines
from custom_datasets.data.scan import Progress, scan_images
from custom_datasets.data.voc import find_voc_folders
from custom_datasets.errors import UserError
from custom_datasets.text import counted

REASONS = ('unreadable', 'small', 'duplicate', 'near-duplicate', 'label-conflict')


class Removed(NamedTuple):
    """An image to leave out.

    Attributes:
        image: As lists name it.
        reason: One of :data:`REASONS`.
        twin: The copy that stays, or one that is in another class's folder.
    """

    image: str
    reason: str
    twin: str = ''


def sort_out(
    facts: Mapping[str, ImageFacts], classes: Mapping[str, str], min_side: int
) -> list[Removed]:
    """Choose what to leave out, by image and in order of their names.

    The shorter side must have at least ``min_side`` pixels.
    """
    removed = []
    usable: dict[str, ImageFacts] = {}
    for name, known in facts.items():
        if known.decodes in ('nothing', 'part'):
            removed.append(Removed(name, 'unreadable'))
        elif min(known.size or known.stored or (min_side,)) < min_side:
            removed.append(Removed(name, 'small'))
        else:
            usable[name] = known
    groups: dict[str, list[str]] = defaultdict(list)
    for name, first in sorted(content_groups(usable).items()):
        groups[first].append(name)
    for group in groups.values():
        removed += _copies(group, usable, classes)
    return sorted(removed)


def read_excluded(path: str) -> list[str]:
    """Read the names in a ``removed.csv``, or in a list with one per line.

    Raises a UserError where a CSV has no column ``image``.
    """
    lines = [line for _, line in read_lines(path)]
    if not path.lower().endswith('.csv'):
        return [line.partition('\t')[0].strip() for line in lines]
    rows = list(csv.DictReader(lines))
    if not all(row.get('image') for row in rows):
        raise UserError(f'{path}: has no column image, as clean.py writes it')
    return [row['image'] for row in rows]


def _copies(
    group: Sequence[str], facts: Mapping[str, ImageFacts], classes: Mapping[str, str]
) -> list[Removed]:
    """Leave out all but one of a group that shows the same, or all of it."""
    if len({classes[name] for name in group}) > 1:
        return [
            Removed(
                name,
                'label-conflict',
                next(other for other in group if classes[other] != classes[name]),
            )
            for name in group
        ]
    sizes = {name: facts[name].size or (0, 0) for name in group}
    kept = max(group, key=lambda name: sizes[name][0] * sizes[name][1])
    return [
        Removed(
            name,
            'duplicate'
            if facts[name].pixels == facts[kept].pixels
            else 'near-duplicate',
            kept,
        )
        for name in group
        if name != kept
    ]


KEPT, REMOVED = 'kept.txt', 'removed.csv'


def clean_dataset(
    source: str,
    *,
    min_side: int = 64,
    out: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> str:
    """List what of a folder to leave out, and what stays; return the counts.

    Left out are images that do not decode completely or whose shorter side has fewer
    pixels than ``min_side``; of pictures that show the same all but the largest; and,
    where these are in folders of several classes, all of them, since nothing says which
    is right. ``removed.csv`` (image, reason, twin) is what ``split.py --exclude``
    reads; deleting a line brings its image back.
    """
    if find_voc_folders(source):
        raise UserError(
            f'{source}: is a VOC folder, and only class folders can be cleaned; '
            'tools/check.py finds damaged and repeated images of a config'
        )
    data = split_class_folders(source)
    paths = {name: str(path) for name, path in data.images.items()}
    classes = {name: min(labels) for name, labels in data.labels.items()}
    with ResultCache() as cache:
        found = scan_images(paths.values(), progress, cache)
    facts = {name: found[path] for name, path in paths.items()}
    removed = sort_out(facts, classes, min_side)
    gone = {row.image for row in removed}
    target = os.path.normpath(out or source)
    kept = data.render(name for name in sorted(facts) if name not in gone)
    lists = {KEPT: kept, REMOVED: _table(removed)}
    write_lists(target, lists, overwrite=overwrite)
    counts = Counter(row.reason for row in removed)
    lines = [f'{reason:15}{counts[reason]:6}' for reason in REASONS if counts[reason]]
    conflicts = [f'  {r.image} = {r.twin}' for r in removed if r.reason == REASONS[-1]]
    empty = set(classes.values()) - {classes[name] for name in facts.keys() - gone}
    return '\n'.join(
        [
            f'{counted(len(facts), "images")}, {len(facts) - len(gone)} stay',
            *data.remarks,
            *lines,
            *conflicts,
            *(f'no image is left of {name}' for name in sorted(empty)),
            f'lists: {os.path.join(target, KEPT)}, {REMOVED}; nothing was deleted',
        ]
    )


def _table(removed: Sequence[Removed]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerows([Removed._fields, *removed])
    return stream.getvalue()
