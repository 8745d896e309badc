"""Reading one Pascal VOC annotation: a file in, plain data out.

The format is that of the VOC devkit (VOC2012 development kit, section 8):
one ``<object>`` for each box, whose ``<bndbox>`` holds ``xmin``, ``ymin``,
``xmax`` and ``ymax``. Numbers may be float and children in any order.
"""

import math
import xml.etree.ElementTree as ET
from typing import NamedTuple

from custom_datasets.errors import UserError

Box = tuple[float, float, float, float]

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
