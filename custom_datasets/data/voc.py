"""Reading one Pascal VOC annotation: a file in, plain data out.

The format is that of the VOC devkit (VOC2012 development kit, section 8):
one ``<object>`` for each box, whose ``<bndbox>`` holds ``xmin``, ``ymin``,
``xmax`` and ``ymax``. Numbers may be float and children in any order.
"""

import math
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from custom_datasets.data.images import image_size
from custom_datasets.data.numbers import as_number, from_zero_based, to_zero_based
from custom_datasets.data.reading import (
    CLASS_LIST,
    UNLISTED,
    WHOLE,
    Lists,
    Reading,
    Source,
    first_pixel,
    group_by_split,
    order_classes,
    pair,
)
from custom_datasets.data.records import Box, BoxRecord, ImageRecord
from custom_datasets.data.tree import Tree, place_of
from custom_datasets.errors import UserError
from custom_datasets.files import write_text

VOCObject = tuple[str, Box, bool]
"""An object as the file has it: its class, its box (``xmin, ymin, xmax,
ymax`` in pixels, in the file's own base) and whether it is difficult, so that
it counts in neither training nor evaluation."""

_TRUE = ('1', 'true', 'yes')


class VOCAnnotation(NamedTuple):
    """One file.

    Attributes:
        filename: What ``<filename>`` claims, or None.
        size: Width and height in pixels, or None where absent or not positive.
        objects: In the file's order.
    """

    filename: str | None
    size: tuple[int, int] | None
    objects: tuple[VOCObject, ...]


def parse_voc_xml(path: str) -> VOCAnnotation:
    """Read a VOC XML file; namespaces are ignored.

    Raises:
        UserError: The file is not XML, its root is not ``<annotation>``, or an
            object lacks its name or a finite number for each side of its box.
            The message has all of the file's problems but not its path.
    """
    return _annotation(_root(path))


def inspect_voc_xml(path: str) -> tuple[VOCAnnotation, tuple[str, ...]]:
    """Read a VOC XML file, and the text that stands where none belongs.

    Returns:
        The annotation, and each stray text: between elements, not in one.

    Raises:
        UserError: As :func:`parse_voc_xml` does.
    """
    root = _root(path)
    texts = [e.text for e in root.iter() if len(e)] + [e.tail for e in root.iter()]
    stray = tuple(text.strip() for text in texts if text and not text.isspace())
    return _annotation(root), stray


def clip_box(
    box: Box, size: tuple[int, int], one_based: bool
) -> tuple[Box | None, bool]:
    """Turn a file's box into zero-based ``xyxy`` inside the image.

    A one-based box names its first and last pixel, both inside it, so its
    edges in zero-based coordinates are ``xmin - 1``, ``ymin - 1``, ``xmax``
    and ``ymax``.

    Args:
        box: ``xmin, ymin, xmax, ymax`` in pixels.
        size: Image width and height in pixels.
        one_based: Whether the file counts pixels from 1.

    Returns:
        The box, or None where it has no area: inverted or empty in the file,
        or outside the image. And whether it went beyond the image.
    """
    x1, y1, x2, y2 = box
    if x2 <= x1 or y2 <= y1:
        return None, False
    if one_based:
        x1, y1 = x1 - 1, y1 - 1
    width, height = size
    if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
        return (x1, y1, x2, y2), False
    x1, y1 = max(x1, 0.0), max(y1, 0.0)
    x2, y2 = min(x2, float(width)), min(y2, float(height))
    return ((x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None), True


def _root(path: str) -> ET.Element:
    try:
        root = ET.parse(path).getroot()
    except OSError as error:
        raise UserError(f'cannot be read ({error.strerror})') from error
    except (ET.ParseError, LookupError, ValueError) as error:
        raise UserError(f'broken XML ({error})') from error
    if '}' in root.tag:
        for element in root.iter():
            element.tag = element.tag.rpartition('}')[2]
    if root.tag != 'annotation':
        raise UserError(f'its root is <{root.tag}>, not <annotation> as in Pascal VOC')
    return root


def _annotation(root: ET.Element) -> VOCAnnotation:
    objects, problems = [], []
    for index, element in enumerate(root.findall('object')):
        try:
            objects.append(_parse_object(element))
        except UserError as error:
            problems.append(f'object {index}: {error}')
    if problems:
        raise UserError('; '.join(problems))
    return VOCAnnotation(
        root.findtext('filename', '').strip() or None,
        _parse_size(root.find('size')),
        tuple(objects),
    )


def _parse_object(element: ET.Element) -> VOCObject:
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
        raise UserError(f'{name} has a <bndbox> with no number ({error})') from error
    if not math.isfinite(x1 + y1 + x2 + y2):
        raise UserError(f'{name} has a <bndbox> without four finite numbers')
    difficult = element.findtext('difficult', '0')
    is_difficult = difficult != '0' and difficult.strip().casefold() in _TRUE
    return name, (x1, y1, x2, y2), is_difficult


def _parse_size(size: ET.Element | None) -> tuple[int, int] | None:
    if size is None:
        return None
    try:
        width = int(float(size.findtext('width', '0')))
        height = int(float(size.findtext('height', '0')))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


IMAGES = 'JPEGImages'

_ROOT = re.compile(rb'<(\w+:)?annotation[\s>/]')
_HEAD = 4096


def find_voc(tree: Tree) -> list[str]:
    """List the XML files that look like VOC's."""
    return [file for file in tree.ending('.xml') if _is_voc(tree.path(file))]


def read_voc(tree: Tree, reading: Reading, counts_from: int | None = None) -> Source:
    """Read a folder; see :class:`~custom_datasets.data.reading.Source`.

    Images that no XML file is about are left out, unless a list names them.
    """
    parsed: dict[str, VOCAnnotation | None] = {}
    for file in tree.ending('.xml'):
        try:
            parsed[file] = parse_voc_xml(tree.path(file))
        except UserError as error:
            if _is_foreign(tree, file):
                reading.notes.append(f'{file}: {error}; left out')
                continue
            parsed[file] = None
            reading.problems.append(f'{file}: {error}')
    claims = {
        file: annotation and annotation.filename for file, annotation in parsed.items()
    }
    images = {
        image: file for file, image in pair(tree, parsed, claims, reading).items()
    }
    boxes = [
        (file, box)
        for file, annotation in parsed.items()
        for _, box, _ in (annotation.objects if annotation else ())
    ]
    base = first_pixel(boxes, counts_from, reading)

    def record(image: str) -> ImageRecord:
        file = images.get(image)
        annotation = (file and parsed[file]) or VOCAnnotation(None, None, ())
        return ImageRecord(
            name=place_of(image)[1],
            image=tree.path(image),
            annotation=file and tree.path(file),
            boxes=tuple(
                BoxRecord(index, name, to_zero_based(box, base), difficult)
                for index, (name, box, difficult) in enumerate(annotation.objects)
            ),
            size=annotation.size,
            filename=annotation.filename,
        )

    lists = Lists.find(tree).read(tree, reading)
    listed = {image for found in lists.values() for image in found}
    broken = {image for image, file in images.items() if parsed[file] is None}
    bare = [image for image in tree.images if image not in images]
    reading.note(
        [image for image in bare if image in listed],
        'listed images have no XML file and come without boxes',
    )
    reading.note(
        [image for image in bare if image not in listed],
        'images without an XML file left out',
    )
    chosen: list[tuple[str | None, str]] = [
        (split, image) for split, found in lists.items() for image in found
    ]
    chosen += [
        (None if lists else place_of(image)[0], image)
        for image in sorted(images)
        if image not in listed
    ]
    names = [name for a in parsed.values() if a for name, _, _ in a.objects]
    return Source(
        format='voc',
        root=tree.root,
        classes=tuple(order_classes(tree, names, reading)),
        splits=group_by_split(
            (split, record(image)) for split, image in chosen if image not in broken
        ),
        counts_from=base,
    )


def write_voc(source: Source, names: Mapping[str, Sequence[str]], folder: str) -> None:
    """Write ``Annotations`` and ``ImageSets`` beside the images.

    Args:
        source: What to write. Coordinates count from where the source's do,
            and from 1 if it is of another format.
        names: For each part the images' paths under ``JPEGImages``.
        folder: Where ``JPEGImages`` is.
    """
    counts_from = 1 if source.counts_from is None else source.counts_from
    for split, records in source.splits.items():
        stems = [os.path.splitext(name)[0] for name in names[split]]
        for record, name, stem in zip(records, names[split], stems, strict=True):
            text = _xml(record, name, counts_from)
            write_text(f'{folder}/Annotations/{stem}.xml', text)
        if split not in (WHOLE, UNLISTED):
            lines = ''.join(f'{stem}\n' for stem in stems)
            write_text(f'{folder}/ImageSets/Main/{split}.txt', lines)
    write_text(f'{folder}/{CLASS_LIST}', ''.join(f'{c}\n' for c in source.classes))


def _xml(record: ImageRecord, name: str, counts_from: int) -> str:
    width, height = record.size or image_size(str(record.image))
    lines = [
        '<annotation>',
        f'  <filename>{escape(os.path.basename(name))}</filename>',
        f'  <size><width>{width}</width><height>{height}</height></size>',
        '  <segmented>0</segmented>',
    ]
    for box in record.boxes:
        sides = map(as_number, from_zero_based(box.box, counts_from))
        x1, y1, x2, y2 = sides
        lines += [
            '  <object>',
            f'    <name>{escape(box.name)}</name>',
            f'    <difficult>{int(box.difficult)}</difficult>',
            f'    <bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>'
            f'<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>',
            '  </object>',
        ]
    return '\n'.join([*lines, '</annotation>', ''])


def _is_voc(path: str) -> bool:
    try:
        with open(path, 'rb') as file:
            return bool(_ROOT.search(file.read(_HEAD)))
    except OSError:
        return False


def _is_foreign(tree: Tree, file: str) -> bool:
    """Say whether a file that can't be read is no annotation at all."""
    folder, _, name = file.rpartition('/')
    stem = os.path.splitext(name)[0]
    return not _is_voc(tree.path(file)) and not tree.candidates(stem, folder)
