"""What every format's reader returns, and what several of them need."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from custom_datasets.data.images import file_problem, image_size
from custom_datasets.data.names import EmptyListError, read_lines
from custom_datasets.data.numbers import holds_labels
from custom_datasets.data.problems import Problem, refused
from custom_datasets.data.records import Box, ImageRecord
from custom_datasets.data.tree import Score, Tree, place_of, split_of, unfound
from custom_datasets.errors import UserError
from custom_datasets.text import counted, shown

CLASS_LIST = 'classes.txt'
"""Class names, one a line, in the order that numbers them."""

WHOLE, UNLISTED = 'all', 'unlisted'
"""The part that is all of a set without parts, and the one that is in none."""


NO_BOX = 'no image has a box'
"""What is wrong with a set of boxes without any."""


@dataclass(frozen=True)
class Source:
    """A data set, however it is stored.

    Attributes:
        format: A key of :data:`custom_datasets.data.convert.FORMATS`.
        classes: In the order that numbers them, unused ones too.
        splits: Images of ``train``, ``val`` and ``test``; of ``all`` where the source
            has no parts; of ``unlisted`` for annotated images that are in none of them.
            Boxes are zero-based ``xyxy`` in pixels, inside the image; an image's name
            is its path without a suffix and without folders that stand for a part or a
            role (``train``, ``images``); its size is the file's.
        notes: What was left out, changed or guessed, one sentence each.
        counts_from: Where the source's coordinates count pixels from, 0 or 1, and the
            destination's may, too; None for formats that are zero-based by definition.
    """

    format: str
    root: str
    classes: tuple[str, ...]
    splits: dict[str, tuple[ImageRecord, ...]]
    notes: tuple[str, ...] = ()
    counts_from: int | None = None

    @property
    def origin(self) -> str:
        """The model that made the boxes of any image, for YOLO, which has one place."""
        records = (record for split in self.splits.values() for record in split)
        return next((record.origin for record in records if record.origin), '')


@dataclass
class Reading:
    """Problems, whose images are left out, and notes: one sentence each.

    ``dropped`` counts the boxes without an area.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dropped: int = 0

    def report(self, problems: Iterable[Problem]) -> None:
        """Add the problems that are refused; tolerated ones leave nothing out."""
        self.problems += [str(problem) for problem in refused(problems)]

    def note(self, files: Sequence[str], many: str, one: str = '') -> None:
        """Add a note about files, if there are any; see :func:`counted`."""
        if files:
            text = counted(len(files), many, one)
            self.notes.append(f'{text}: {shown(sorted(files))}')


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
    """Order class names as ``classes.txt`` does, or else by name, numbers by value."""
    names = sorted(set(found), key=_by_value)
    if CLASS_LIST not in tree.files:
        return names
    try:
        listed = [line for _, line in read_lines(tree.path(CLASS_LIST))]
    except EmptyListError as error:
        reading.notes.append(str(error).replace(tree.path(''), ''))
        return names
    except UserError as error:
        # Their order numbers the classes.
        reading.problems.append(str(error).replace(tree.path(''), ''))
        return names
    others = [name for name in names if name not in listed]
    reading.note(
        others,
        f'classes are not in {CLASS_LIST} and come after those',
        f'class is not in {CLASS_LIST} and comes after those',
    )
    return [*listed, *others]


def first_pixel(
    boxes: Iterable[tuple[str, Box]], counts_from: int | None, reading: Reading
) -> int:
    """Return the first pixel, 0 or 1: a box with an area that begins at 0 proves 0."""
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
        f'{counted(len(files), "boxes begin", "box begins")} at 0 (the first in '
        f'{files[0]}), so coordinates are '
        'taken to count pixels from 0; if these are slips, give --one-based'
    )
    return 0


def without_damaged(source: Source, reading: Reading) -> Source:
    """Leave out images that can't be opened or are cut off."""
    root = os.path.join(source.root, '')
    images = dict.fromkeys(r.image for part in source.splits.values() for r in part)
    problems = {image: file_problem(image) for image in images if image}
    reading.report(
        replace(problem, file=image.removeprefix(root))
        for image, problem in problems.items()
        if problem
    )
    parts = {
        split: tuple(r for r in records if not problems.get(r.image or ''))
        for split, records in source.splits.items()
    }
    return replace(source, splits=parts)


def with_sizes(source: Source, reading: Reading) -> Source:
    """Read sizes from the images' headers; annotations may give other ones."""
    parts = {}
    wrong = []
    for split, records in source.splits.items():
        kept = []
        for record in records:
            try:
                size = image_size(str(record.image))
            except UserError as error:
                # Pillow refuses the largest images, and an annotation has their size.
                if record.size is None:
                    text = str(error).replace(os.path.join(source.root, ''), '')
                    reading.problems.append(text)
                    continue
                size = record.size
            if record.size and record.size != size:
                file = str(record.annotation).removeprefix(
                    os.path.join(source.root, '')
                )
                sides = (f'{width}x{height}' for width, height in (record.size, size))
                wrong.append(f'{file} has {" for ".join(sides)}')
            kept.append(replace(record, size=size))
        parts[split] = tuple(kept)
    reading.note(
        wrong,
        'images are of another size than annotated; their boxes may be wrong',
        'image is of another size than annotated; its boxes may be wrong',
    )
    return replace(source, splits=parts)


def _by_value(name: str) -> tuple[int, int, str]:
    number = name.isascii() and name.isdecimal()
    return (0, int(name), name) if number else (1, 0, name)


_TRAINVAL = 'trainval'


def missing_image(file: str) -> Problem:
    """Return the problem of an annotation file whose image is missing."""
    return Problem('missing-image', f'there is no image {_stem(file)}.*', file)


def listed_twice(list_file: str, names: Iterable[str]) -> list[Problem]:
    """Return a problem for each name that a list has more than once."""
    return [
        Problem('listed-twice', f'{name} is listed {count} times', list_file)
        for name, count in Counter(names).items()
        if count > 1
    ]


def unknown_line(
    list_file: str, number: int, line: str, images: Sequence[str] = ()
) -> Problem:
    """Return the problem of a line that names no image, or one of several."""
    code = 'ambiguous-image' if images else 'missing-image'
    return Problem(code, f'line {number}: {unfound(line, images)}', list_file)


def ambiguous_image(file: str, images: Sequence[str]) -> Problem:
    """Return the problem of an annotation file that several images match."""
    text = f'it may belong to {" and ".join(images)}; rename one of them'
    return Problem('ambiguous-image', text, file)


def taken_image(file: str, owner: str) -> Problem:
    """Return the problem of an annotation file whose image belongs to another."""
    return Problem('taken-image', f'its image belongs to {owner} already', file)


def pair(
    tree: Tree,
    files: Iterable[str],
    claims: Mapping[str, str | None],
    reading: Reading,
    listed: Collection[str] = (),
) -> dict[str, str]:
    """Return the image of each annotation file that has one; no image appears twice.

    The file's name decides first. ``claims`` has the image's file name that a file
    gives: it chooses among several images, and where no image has the file's name it
    finds one, unless that has a file of its own. ``listed`` file names, those of lists
    of images, go before claims.
    """
    taken: dict[str, tuple[Score, str]] = {}
    rest = []
    for file in files:
        folder, _, name = file.rpartition('/')
        scored = tree.candidates(os.path.splitext(name)[0], folder)
        best = [image for score, image in scored if score == scored[0][0]]
        claim = _base((claims.get(file) or '').replace('\\', '/'))
        for names in (listed, (claim,)):
            if len(best) > 1:
                best = [image for image in best if _base(image) in names] or best
        if not best:
            rest.append(file)
        elif len(best) > 1:
            reading.report([ambiguous_image(file, sorted(best))])
        else:
            score, image = scored[0][0], best[0]
            if image in taken and taken[image][0] >= score:
                rest.append(file)
                continue
            if image in taken:
                rest.append(taken[image][1])
            taken[image] = score, file
    pairs = {file: image for image, (_, file) in taken.items()}
    for file in rest:
        folder, _, name = file.rpartition('/')
        image = _likeliest(tree, claims.get(file), folder)
        image = image or _likeliest(tree, os.path.splitext(name)[0], folder)
        if not image:
            reading.report([missing_image(file)])
        elif image in taken:
            reading.report([taken_image(file, taken[image][1])])
        else:
            taken[image] = (0, False, False), file
            pairs[file] = image
    return pairs


def _likeliest(tree: Tree, claim: str | None, near: str) -> str:
    try:
        return tree.find_image(claim or '', near)
    except UserError:
        return ''


FindLine = Callable[[str, str], list[str] | None]
"""Returns the images that a list's line means: one, none, or several that it may mean;
None where a problem is reported elsewhere. It gets the folder of the list, too."""


@dataclass
class Lists:
    """Files that name the images of each part."""

    files: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def find(cls, tree: Tree) -> 'Lists':
        """Find ``train.txt`` and the like: in ``ImageSets``, or else at the top.

        ``trainval`` is taken for ``train`` where neither that nor ``val`` is listed;
        other lists repeat images.
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

    def all_files(self) -> list[str]:
        """Return the lists of all parts."""
        return [file for files in self.files.values() for file in files]

    def file_names(self, tree: Tree) -> set[str]:
        """Return the last part of each line: file names, where lists have them."""
        names = set()
        for file in self.all_files():
            with suppress(UserError):  # Reported where the list is read.
                names |= {_base(line) for _, line in read_lines(tree.path(file))}
        return names

    def read(
        self, tree: Tree, reading: Reading, find: FindLine | None = None
    ) -> dict[str, list[str]]:
        """Return the images of each part, in order and each once.

        ``find`` says which images a line means; see :func:`read_list`.
        """
        return {
            split: list(
                dict.fromkeys(
                    image
                    for file in files
                    for image in read_list(tree, file, reading, find)
                )
            )
            for split, files in self.files.items()
        }


def read_list(
    tree: Tree, file: str, reading: Reading, find: FindLine | None = None
) -> list[str]:
    """Return the images that a list names, one per line.

    ``find`` says which images a line means, :func:`find_listed` if not given.
    """
    near = file.rpartition('/')[0]
    if '/imagesets/' in f'/{near.lower()}/':
        near = near[: f'/{near.lower()}/'.index('/imagesets/')].rstrip('/')
    images = []
    find = find or partial(find_listed, tree)
    try:
        lines = read_lines(tree.path(file))
    except EmptyListError as error:
        reading.notes.append(str(error))
        return []
    except UserError as error:
        reading.problems.append(str(error))
        return []
    for number, line in lines:
        named = find(line, near)
        if named is None:
            continue
        if len(named) == 1:
            images += named
        else:
            reading.report([unknown_line(file, number, line, named)])
    reading.report(listed_twice(file, (place_of(image)[1] for image in images)))
    return images


def without_flag(line: str) -> str:
    """Take off a 1, 0 or -1 behind a name, as VOC's lists of one class have it."""
    name, _, flag = line.rpartition(' ')
    return name.strip() if flag in ('1', '0', '-1') else line


def find_listed(tree: Tree, line: str, near: str) -> list[str]:
    """Return the images that a line of a list may mean, by name or by path."""
    whole, name = (tree.likeliest(text, near) for text in (line, without_flag(line)))
    return name if len(name) == 1 and len(whole) != 1 else whole


def _base(file: str) -> str:
    return file.rpartition('/')[2]


def _stem(file: str) -> str:
    return os.path.splitext(_base(file))[0]
