"""What every reader of a format returns, and what several of them need."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from custom_datasets.class_names import read_lines
from custom_datasets.errors import UserError
from custom_datasets.formats.paths import shown
from custom_datasets.formats.tree import Tree
from custom_datasets.images import image_size
from custom_datasets.records import ImageRecord
from custom_datasets.voc_xml import Box

CLASS_LIST = 'classes.txt'
"""Class names, one a line, in the order that numbers them."""

WHOLE, UNLISTED = 'all', 'unlisted'
"""The part that is all of a set without parts, and the one that is in none."""


@dataclass(frozen=True)
class Source:
    """A data set, whatever it is stored as.

    Attributes:
        format: One of :data:`custom_datasets.formats.FORMATS`.
        root: The folder that was read.
        classes: Class names in the order that numbers them, unused ones too.
        splits: Images of each part: ``train``, ``val`` and ``test``, as the
            source has them; ``all`` where it has none; ``unlisted`` for
            annotated images that are in none of them. Boxes are zero-based
            ``xyxy`` in pixels, neither clipped nor in order; an image's name
            is its path without a suffix and without folders that stand for a
            part or a role (``train``, ``images``); its size is the annotation's
            or, where that has none, the file's.
        notes: What was left out, changed or guessed, one sentence each.
        counts_from: 0 or 1 where the source's coordinates count pixels from
            there and so may the destination's; None for formats that are
            zero-based by definition.
    """

    format: str
    root: str
    classes: tuple[str, ...]
    splits: dict[str, tuple[ImageRecord, ...]]
    notes: tuple[str, ...] = ()
    counts_from: int | None = None


@dataclass
class Reading:
    """What a reader has to say.

    Attributes:
        problems: What can't be read, one sentence each, with its file first;
            the image that it is about is left out.
        notes: See :attr:`Source.notes`.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, files: Sequence[str], what: str) -> None:
        """Note something about files, if there are any."""
        if files:
            self.notes.append(f'{len(files)} {what}: {shown(sorted(files))}')


def group_by_split(
    images: Iterable[tuple[str | None, ImageRecord]],
) -> dict[str, tuple[ImageRecord, ...]]:
    """Sort images into parts; None is for those that are in none."""
    parts: dict[str | None, list[ImageRecord]] = {'train': [], 'val': [], 'test': []}
    for split, image in images:
        parts.setdefault(split, []).append(image)
    rest = parts.pop(None, [])
    named = {str(split): tuple(found) for split, found in parts.items() if found}
    return {**named, (UNLISTED if named else WHOLE): tuple(rest)} if rest else named


def order_classes(tree: Tree, found: Iterable[str], reading: Reading) -> list[str]:
    """Order class names as ``classes.txt`` has them, or else by name.

    Numbers go by their value, so that a class called 10 is not the third.
    """
    names = sorted(set(found), key=_by_value)
    if CLASS_LIST not in tree.files:
        return names
    try:
        listed = [line for _, line in read_lines(tree.path(CLASS_LIST))]
    except UserError as error:
        reading.notes.append(str(error))
        return names
    others = [name for name in names if name not in listed]
    reading.note(others, f'classes are not in {CLASS_LIST} and come after those')
    return [*dict.fromkeys(listed), *others]


def first_pixel(
    boxes: Iterable[tuple[str, Box]], counts_from: int | None, reading: Reading
) -> int:
    """Tell whether coordinates count pixels from 0 or from 1.

    A box with an area that begins at 0 proves the former.

    Args:
        boxes: Each with its file.
        counts_from: Decides, if it is not None.
        reading: Gets a note where it was guessed to be 0.
    """
    if counts_from is not None:
        return counts_from
    files = [
        file
        for file, (x1, y1, x2, y2) in boxes
        if (0 <= x1 < 1 or 0 <= y1 < 1) and x2 > x1 and y2 > y1
    ]
    if not files:
        return 1
    reading.notes.append(
        f'{len(files)} boxes begin at 0 (the first in {files[0]}), so coordinates are '
        'taken to count pixels from 0; if these are slips, give --one-based'
    )
    return 0


def with_sizes(source: Source, reading: Reading) -> Source:
    """Read the sizes that annotations don't claim from the images' headers."""
    parts = {}
    for split, records in source.splits.items():
        kept = []
        for record in records:
            if record.size is None and record.image:
                try:
                    record = replace(record, size=image_size(record.image))
                except UserError as error:
                    text = str(error).replace(os.path.join(source.root, ''), '')
                    reading.problems.append(text)
                    continue
            kept.append(record)
        parts[split] = tuple(kept)
    return replace(source, splits=parts)


def _by_value(name: str) -> tuple[int, int, str]:
    number = name.isascii() and name.isdecimal()
    return (0, int(name), name) if number else (1, 0, name)
