"""What every reader of a format returns, and what several of them need."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from custom_datasets.data.images import image_size
from custom_datasets.data.names import read_lines
from custom_datasets.data.numbers import holds_labels
from custom_datasets.data.records import Box, ImageRecord
from custom_datasets.data.tree import Score, Tree, shown, split_of
from custom_datasets.errors import UserError

CLASS_LIST = 'classes.txt'
"""Class names, one a line, in the order that numbers them."""

WHOLE, UNLISTED = 'all', 'unlisted'
"""The part that is all of a set without parts, and the one that is in none."""


@dataclass(frozen=True)
class Source:
    """A data set, whatever it is stored as.

    Attributes:
        format: A key of :data:`custom_datasets.data.convert.FORMATS`.
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


_TRAINVAL = 'trainval'


def pair(
    tree: Tree,
    files: Iterable[str],
    claims: Mapping[str, str | None],
    reading: Reading,
) -> dict[str, str]:
    """Find the image of each annotation file, by its name and then by claims.

    Args:
        tree: The data set.
        files: Annotation files, as ``tree`` lists them.
        claims: The image's file name that a file gives, if it gives one. It
            decides between several images, and where no image has the file's
            name, unless that image has a file of its own.
        reading: Gets a problem for each file without an image.

    Returns:
        The image of each file that has one; no image is there twice.
    """
    taken: dict[str, tuple[Score, str]] = {}
    rest = []
    for file in files:
        folder, _, name = file.rpartition('/')
        found = tree.candidates(os.path.splitext(name)[0], folder)
        best = [pair for pair in found if pair[0] == found[0][0]]
        claim = _base((claims.get(file) or '').replace('\\', '/'))
        if len(best) > 1:
            best = [pair for pair in best if _base(pair[1]) == claim] or best
        if not best:
            rest.append(file)
        elif len(best) > 1:
            images = ' and '.join(image for _, image in best)
            reading.problems.append(f'{file}: it may belong to {images}')
        else:
            score, image = best[0]
            if image in taken and taken[image][0] >= score:
                rest.append(file)
                continue
            if image in taken:
                rest.append(taken[image][1])
            taken[image] = score, file
    pairs = {file: image for image, (_, file) in taken.items()}
    for file in rest:
        try:
            image = tree.find_image(claims.get(file) or '', file.rpartition('/')[0])
        except UserError:
            image = ''
        if image and image not in taken:
            taken[image] = (0, False, False), file
            pairs[file] = image
        else:
            reading.problems.append(f'{file}: there is no image of that name')
    return pairs


@dataclass
class Lists:
    """Files that name the images of each part.

    Attributes:
        files: The lists of each part, as the tree lists them.
    """

    files: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def find(cls, tree: Tree) -> 'Lists':
        """Find ``train.txt`` and the like: in ``ImageSets``, or else at the top.

        ``trainval`` is taken for ``train`` where neither that nor ``val`` is
        listed; other lists name images again.
        """
        texts = tree.ending('.txt')
        main = [file for file in texts if '/imagesets/main/' in f'/{file.lower()}']
        sets = [file for file in texts if '/imagesets/' in f'/{file.lower()}']
        top = [file for file in texts if '/' not in file]
        files: dict[str, list[str]] = {}
        for file in main or sets or top:
            stem = _base(file)[:-4]
            split = _TRAINVAL if stem.casefold() == _TRAINVAL else split_of(stem)
            # An image may be called train, too.
            if split and not holds_labels(tree.path(file)):
                files.setdefault(split, []).append(file)
        trainval = files.pop(_TRAINVAL, None)
        if trainval and not files.keys() & {'train', 'val'}:
            files['train'] = trainval
        return cls(files)

    def read(self, tree: Tree, reading: Reading) -> dict[str, list[str]]:
        """Return the images of each part, in order and each once."""
        return {
            split: list(
                dict.fromkeys(
                    image for file in files for image in read_list(tree, file, reading)
                )
            )
            for split, files in self.files.items()
        }


def read_list(tree: Tree, file: str, reading: Reading) -> list[str]:
    """Return the images that a list names, one a line, by name or by path.

    A 1, 0 or -1 behind a name, as VOC's lists of one class have it, is passed
    over.
    """
    near = file.rpartition('/')[0]
    if '/imagesets/' in f'/{near.lower()}/':
        near = near[: f'/{near.lower()}/'.index('/imagesets/')].rstrip('/')
    images = []
    try:
        lines = read_lines(tree.path(file))
    except UserError as error:
        reading.notes.append(str(error))
        return []
    for number, line in lines:
        name, _, flag = line.rpartition(' ')
        try:
            images.append(tree.find_image(line, near))
        except UserError as error:
            try:
                if flag not in ('1', '0', '-1'):
                    raise error
                images.append(tree.find_image(name.strip(), near))
            except UserError:
                reading.problems.append(f'{file}, line {number}: {error}')
    return images


def _base(file: str) -> str:
    return file.rpartition('/')[2]
