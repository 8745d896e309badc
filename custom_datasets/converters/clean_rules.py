"""Which images of class folders to leave out, and why."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from custom_datasets.checking.content import content_groups
from custom_datasets.checking.image_facts import ImageFacts
from custom_datasets.class_names import read_lines
from custom_datasets.errors import UserError

REASONS = ('unreadable', 'small', 'duplicate', 'near-duplicate', 'label-conflict')


class Removed(NamedTuple):
    """An image to leave out.

    Attributes:
        image: As lists name it.
        reason: One of :data:`REASONS`.
        twin: The copy that stays, or one that is in another class's folder;
            empty without any.
    """

    image: str
    reason: str
    twin: str = ''


def sort_out(
    facts: Mapping[str, ImageFacts], classes: Mapping[str, str], min_side: int
) -> list[Removed]:
    """Choose what to leave out, by image and in order of their names.

    Args:
        facts: Of each image, by its name.
        classes: Of each image.
        min_side: The least that the shorter side may have, in pixels.
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
    """Read the names in a ``removed.csv``, or those in a list with one a line.

    Raises:
        UserError: The file can't be read, or is a CSV without a column ``image``.
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
