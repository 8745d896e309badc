"""Pascal VOC: one XML file per image, lists of names in ``ImageSets/Main``.

The format is that of the VOC devkit (VOC2012 development kit, section 8): one
``<object>`` for each box, whose ``<bndbox>`` holds ``xmin``, ``ymin``, ``xmax`` and
``ymax``. Numbers may be float and children in any order.
"""

import os
import re
import xml.etree.ElementTree as ET
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from sys import intern
from typing import NamedTuple
from xml.parsers import expat

from custom_datasets.data.image_kinds import IMAGE_SUFFIXES
from custom_datasets.data.images import claimed_size, image_size, without_suffix
from custom_datasets.data.marks import digest, is_predicted, written_digest
from custom_datasets.data.names import fold_class, read_lines, spell_path
from custom_datasets.data.numbers import LARGEST, add, from_zero_based
from custom_datasets.data.opening import open_file
from custom_datasets.data.problems import Problem
from custom_datasets.data.reading import (
    ambiguous_image,
    listed_twice,
    missing_image,
    taken_image,
    unknown_line,
    without_flag,
)
from custom_datasets.data.records import (
    Box,
    BoxRecord,
    ImageRecord,
    has_area,
)
from custom_datasets.data.tree import FileIndex
from custom_datasets.errors import UserError

IMAGES = 'JPEGImages'

COUNTS_FROM = 'counts_from'
"""The element by which a conversion says that pixels are counted from 0."""

_SPARE = 1e-4
"""In pixels: as little as nobody sees, and as much as no rounding takes away."""

_TRUE = ('1', 'true', 'yes')
_ROOT = re.compile(r'<(\w+:)?annotation[\s>/]')
_CHUNK = 4096


class VOCFile(NamedTuple):
    """What one XML file holds.

    Attributes:
        boxes: As the file has them: its order, its base, not clipped.
        size: Width and height in pixels; None where absent or not positive.
        broken: What can't be read, with the object's index, or None for the whole file;
            the other fields are incomplete then.
        stray: Text between the elements, where none belongs.
        from_zero: Whether the file says that it counts pixels from 0, as a conversion
            does.
        origin: The model that made the boxes, if the file says so, unless it was
            changed since.
    """

    boxes: tuple[BoxRecord, ...] = ()
    size: tuple[int, int] | None = None
    filename: str | None = None
    broken: tuple[tuple[str, int | None], ...] = ()
    stray: tuple[str, ...] = ()
    from_zero: bool = False
    origin: str = ''

    def problems(self, file: str) -> list[Problem]:
        """Return what is wrong with the file, which messages call ``file``."""
        return [
            *(Problem('broken-annotation', text, file, n) for text, n in self.broken),
            *(
                Problem('stray-text', f'text between the elements: {t[:60]!r}', file)
                for t in self.stray
            ),
        ]


def read_voc_file(path: str, strays: bool = False) -> VOCFile:
    """Read an XML file, ignoring namespaces.

    ``strays`` also looks for text between the elements, which takes a third longer.
    """
    try:
        with open_file(path) as file:
            data = file.read()
        root = ET.fromstring(data)
    except OSError as error:
        return VOCFile(broken=((f'cannot be read ({error.strerror})', None),))
    except (ET.ParseError, LookupError, ValueError) as error:
        return VOCFile(broken=((f'broken XML ({error})', None),))
    if '}' in root.tag:
        for element in root.iter():
            element.tag = element.tag.rpartition('}')[2]
    if root.tag != 'annotation':
        text = f'its root is <{root.tag}>, not <annotation> as in Pascal VOC'
        return VOCFile(broken=((text, None),))
    boxes, broken = [], []
    for index, element in enumerate(root.findall('object')):
        try:
            boxes.append(_read_object(element, index))
        except UserError as error:
            broken.append((str(error), index))
    origin = root.findtext('source/annotation', '').strip()
    # A file that a note does not name may have been renamed.
    if is_predicted(origin) and written_digest(path) not in (None, '', digest(data)):
        origin = ''
    return VOCFile(
        tuple(boxes),
        _read_size(root.find('size')),
        root.findtext('filename', '').strip() or None,
        tuple(broken),
        _stray_texts(root) if strays else (),
        root.findtext(COUNTS_FROM) == '0',
        origin if is_predicted(origin) else '',
    )


def clip_box(
    box: Box, size: tuple[int, int], one_based: bool
) -> tuple[Box | None, bool]:
    """Return a box as zero-based ``xyxy`` inside the image, and if it was clipped.

    A one-based box names its first and last pixel, both inside it, so its edges in
    zero-based coordinates are ``xmin - 1``, ``ymin - 1``, ``xmax`` and ``ymax``. The
    box is None where it has no area: inverted or empty in the file, or outside the
    image, whose ``size`` is width and height.
    """
    if not has_area(box, int(one_based)):
        return None, False
    x1, y1, x2, y2 = box
    if one_based:
        x1, y1 = x1 - 1, y1 - 1
    width, height = size
    if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
        return (x1, y1, x2, y2), False
    x1, y1 = max(x1, 0.0), max(y1, 0.0)
    x2, y2 = min(x2, float(width)), min(y2, float(height))
    return ((x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None), True


def size_of(record: ImageRecord) -> tuple[int, int]:
    """Return the width and height in pixels to which a record's boxes are cut.

    Those of the annotation are believed, and no image is opened, unless a box goes
    beyond them. Raises a UserError where neither annotation nor image tells them.
    """
    claimed = record.size
    if claimed and record.image:
        width, height = claimed
        if any(box.box[2] > width or box.box[3] > height for box in record.boxes):
            with suppress(UserError):  # Whoever needs the image says so.
                return image_size(record.image)
    return claimed or image_size(str(record.image))


def boxes_inside(record: ImageRecord, one_based: bool) -> list[BoxRecord]:
    """Return the boxes, as they are, that have an area inside the image."""
    size = (int(LARGEST), int(LARGEST))
    if record.boxes and (record.size or record.image):
        with suppress(UserError):  # See above.
            size = size_of(record)
    return [b for b in record.boxes if clip_box(b.box, size, one_based)[0]]


def to_one_based(box: Box) -> Box:
    """Turn edges in pixels from 0 into what a file has that counts from 1.

    A side of one pixel would end where it begins, as slips do, so it is longer by a
    little.
    """
    x1, y1, x2, y2 = from_zero_based(box, 1)
    x2 = add(x2, _SPARE) if x2 == x1 else x2
    y2 = add(y2, _SPARE) if y2 == y1 else y2
    return x1, y1, x2, y2


class VOCFolder:
    """The images and the XML files of a folder, found by their common name.

    A name is a path without a suffix in both folders. A file that isn't there may be in
    a folder inside; suffixes match in any case. Boxes are as the files have them, but
    if they are to be ``one_based``, those of a file that says it counts from 0 are
    turned into such.
    """

    def __init__(self, images: str, annotations: str, one_based: bool = False) -> None:
        """Read nothing yet."""
        self.one_based = one_based
        self.images = FileIndex(images, IMAGE_SUFFIXES)
        self.annotations = FileIndex(annotations, ('.xml',))

    def listed_files(self, path: str) -> list[str]:
        """Return the XML files of the images that a list names."""
        names = dict.fromkeys(self.name_of(line) for _, line in read_lines(path))
        return [file for name in names for file in self.annotations.find(name)]

    def name_of(self, line: str) -> str:
        """Return the name that a list's line gives, as the folders spell it.

        A path to the image, an absolute one too, and the 1, 0 or -1 behind a name in
        the devkit's lists of one class lead to the same name.
        """
        stem = without_suffix(line)
        for name in (stem, stem.rpartition('/')[2]) if '\\' in stem else ():
            if self.images.find(name):
                return name  # It has a backslash and is no path of another system.
        usual = without_suffix(spell_path(line, self.images.root))
        if self.images.find(usual):
            return usual
        lines = dict.fromkeys((line, without_flag(line)))
        paths = [path for line in lines for path in self._spellings(line)]
        # An image may be called a.png.png, and a list a.png for it.
        names = [*map(without_suffix, paths), *paths]
        for name in names:
            if self.images.find(name) or self.annotations.find(name):
                return name
        return names[0]

    def _spellings(self, line: str) -> Iterator[str]:
        """Yield a path as it is, and then with fewer and fewer folders in front."""
        path = spell_path(line, self.images.root)
        yield path
        while '/' in path:
            path = path.partition('/')[2]
            yield path

    def read_list(
        self, path: str, read: Callable[[str], VOCFile] = read_voc_file
    ) -> tuple[list[ImageRecord], list[Problem]]:
        """Read the images that a list names, one per line, in its order.

        One without an XML file is a ``no-annotation`` problem, which the caller judges.
        """
        lines = read_lines(path)
        named = [(self.name_of(line), number, line) for number, line in lines]
        problems = listed_twice(path, (name for name, _, _ in named))
        names = {name: (number, line) for name, number, line in named}
        owners: dict[str, str] = {}
        records = []
        for name, (number, line) in names.items():
            record, found = self._read(name, line, read, owners)
            if record.annotation is None:
                if record.image is None:
                    images = self.images.find(name)
                    found = [unknown_line(path, number, line, images)]
                else:
                    found.append(unannotated(record.image))
            records.append(record)
            problems += found
        return records, problems

    def read_all(self) -> tuple[list[ImageRecord], list[Problem], list[str]]:
        """Read the images that have an XML file, named as a list has to name them.

        Also returns what is wrong, and the XML files that are not annotations and match
        no image.
        """
        records: dict[str, ImageRecord] = {}
        problems: list[Problem] = []
        foreign: list[str] = []
        owners: dict[str, str] = {}
        names: dict[str, None] = {}
        for name in self.annotations.names():
            short = self._list_name(name)
            file, other = (self.annotations.find(n)[0] for n in (name, short))
            if short != name and file not in self.annotations.find(short):
                problems.append(taken_image(file, other))
            names[short] = None
        for name in names:
            record, found = self._read(name, '', read_voc_file, owners)
            file = str(record.annotation)
            if record.image is None and not looks_like_voc(file):
                foreign.append(file)
                continue
            records[name] = record
            problems += found
        return list(records.values()), problems, foreign

    def _list_name(self, name: str) -> str:
        short = name
        while not self.images.find(short) and '/' in short:
            short = short.partition('/')[2]
        return short if self.images.find(short) else name

    def _read(
        self,
        name: str,
        line: str,
        read: Callable[[str], VOCFile],
        owners: dict[str, str],
    ) -> tuple[ImageRecord, list[Problem]]:
        file, *others = self.annotations.find(name) or ['']
        problems = [taken_image(other, file) for other in others]
        xml = read(file) if file else VOCFile()
        image, problem = self._find_image(name, line, file, xml.filename)
        owner = owners.setdefault(image, file) if image and file else file
        if owner != file:
            image, problem = None, taken_image(file, owner)
        if problem:
            problems.append(problem)
        if xml.broken or xml.stray:
            problems += xml.problems(file)
        boxes = xml.boxes
        if self.one_based and xml.from_zero:
            boxes = tuple(replace(b, box=to_one_based(b.box)) for b in boxes)
        record = ImageRecord(
            name,
            image,
            file or None,
            boxes,
            None,
            xml.size,
            xml.filename,
            xml.origin,
        )
        return record, problems

    def _find_image(
        self, name: str, line: str, file: str, claim: str | None
    ) -> tuple[str | None, Problem | None]:
        images = self.images.find(name)
        if len(images) == 1:
            return images[0], None
        claimed = (claim or '').replace('\\', '/').rpartition('/')[2]
        images = images or self.images.find(without_suffix(name))
        if not images and claimed:
            folder, slash, _ = name.rpartition('/')
            other = f'{folder}{slash}{without_suffix(claimed)}'
            images = self.images.find(other)
            owner = next(iter(self.annotations.find(other)), None)
            if images and owner:
                return None, taken_image(file, owner)
        for wanted in (line, name, claimed):
            base = wanted.rpartition('/')[2]
            named = [image for image in images if image.rpartition('/')[2] == base]
            images = named or images
        if len(images) == 1:
            return images[0], None
        at = file or f'{self.images.root}{name}.*'
        problem = ambiguous_image(at, images) if images else missing_image(at)
        return None, problem


def fold_classes(
    records: Iterable[ImageRecord], class_map: Mapping[str, str], kept: Collection[str]
) -> list[ImageRecord]:
    """Rename each box to the class that its name stands for; see ``fold_class``."""
    return [
        replace(
            record,
            boxes=tuple(
                replace(box, name=fold_class(box.name, class_map, kept))
                for box in record.boxes
            ),
        )
        for record in records
    ]


def find_voc_folders(root: str) -> tuple[str, str] | None:
    """Return the folders of images and of XML files; None where a root has none."""
    folders: dict[str, str] = {}
    for name in sorted(os.listdir(root)):
        if os.path.isdir(os.path.join(root, name)):
            folders.setdefault(name.lower(), name)
    images = folders.get(IMAGES.lower()) or folders.get('images')
    annotations = folders.get('annotations')
    if not images or not annotations:
        return None
    index = FileIndex(os.path.join(root, annotations), ('.xml',))
    return (images, annotations) if index.names() else None


def unannotated(image: str) -> Problem:
    """Return the problem of a listed image without an XML file."""
    return Problem('no-annotation', 'listed, but has no XML file', image)


def looks_like_voc(path: str) -> bool:
    """Say whether a file begins as an annotation does, whatever follows."""
    roots: list[str] = []
    parser = expat.ParserCreate(namespace_separator='}')
    parser.StartElementHandler = lambda name, _: roots.append(name)
    head = b''
    try:
        with open_file(path) as file:
            while not roots and (chunk := file.read(_CHUNK)):
                head = head or chunk
                parser.Parse(chunk)
    except OSError:
        return False
    except (expat.ExpatError, LookupError, ValueError):
        pass  # It may be meant as one, though its beginning is broken.
    if roots:
        return roots[0].rpartition('}')[2] == 'annotation'
    is_wide = head.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    text = head.decode('utf-16' if is_wide else 'latin-1', errors='ignore')
    return bool(_ROOT.search(text))


def _read_object(element: ET.Element, index: int) -> BoxRecord:
    name = element.findtext('name', '').strip()
    if not name:
        raise UserError('no <name>')
    bndbox = element.find('bndbox')
    if bndbox is None:
        raise UserError(f'{name} has no <bndbox>')
    text = bndbox.findtext
    try:
        x1, y1 = float(text('xmin', 'nan')), float(text('ymin', 'nan'))
        x2, y2 = float(text('xmax', 'nan')), float(text('ymax', 'nan'))
    except ValueError as error:
        raise UserError(
            f'{name} has a <bndbox> with a side that is not a number ({error})'
        ) from error
    if not abs(x1) + abs(y1) + abs(x2) + abs(y2) < LARGEST:
        raise UserError(f'{name} has a <bndbox> without four finite numbers below 1e12')
    difficult = element.findtext('difficult', '0')
    is_difficult = difficult != '0' and difficult.strip().casefold() in _TRUE
    return BoxRecord(index, intern(name), (x1, y1, x2, y2), is_difficult)


def _read_size(size: ET.Element | None) -> tuple[int, int] | None:
    if size is None:
        return None
    try:
        width = int(float(size.findtext('width', '0')))
        height = int(float(size.findtext('height', '0')))
    except (ValueError, OverflowError):
        return None
    return claimed_size({'width': width, 'height': height})


def _stray_texts(root: ET.Element) -> tuple[str, ...]:
    texts = [e.text for e in root.iter() if len(e)] + [e.tail for e in root.iter()]
    return tuple(text.strip() for text in texts if text and not text.isspace())
