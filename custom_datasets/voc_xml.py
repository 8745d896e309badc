"""Reading one Pascal VOC annotation: a file in, plain data out.

The format is that of the VOC devkit (VOC2012 development kit, section 8):
one ``<object>`` for each box, whose ``<bndbox>`` holds ``xmin``, ``ymin``,
``xmax`` and ``ymax``. Numbers may be float and children in any order.
"""

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from custom_datasets.errors import UserError

Box = tuple[float, float, float, float]

_SIDES = ('xmin', 'ymin', 'xmax', 'ymax')


@dataclass(frozen=True, slots=True)
class VOCObject:
    """One object as the file has it.

    Attributes:
        name: The class.
        box: ``xmin, ymin, xmax, ymax`` in pixels, in the file's own base.
        difficult: Whether it counts in neither training nor evaluation.
    """

    name: str
    box: Box
    difficult: bool


@dataclass(frozen=True, slots=True)
class VOCAnnotation:
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
    """Read a VOC XML file.

    Raises:
        UserError: The file is not XML, or an object lacks its name or a
            finite number for each side of its box. The message has all of
            the file's problems but not its path.
    """
    try:
        with open(path, 'rb') as file:
            root = ET.fromstring(file.read())
    except ET.ParseError as error:
        raise UserError(f'broken XML ({error})') from error
    except OSError as error:
        raise UserError(f'cannot be read ({error.strerror})') from error
    objects, problems = [], []
    for index, element in enumerate(root.iterfind('object')):
        try:
            objects.append(_parse_object(element))
        except UserError as error:
            problems.append(f'object {index}: {error}')
    if problems:
        raise UserError('; '.join(problems))
    return VOCAnnotation(
        (root.findtext('filename') or '').strip() or None,
        _parse_size(root),
        tuple(objects),
    )


def clip_box(box: Box, size: tuple[int, int], one_based: bool) -> Box | None:
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
        or outside the image.
    """
    x1, y1, x2, y2 = box
    if x2 <= x1 or y2 <= y1:
        return None
    if one_based:
        x1, y1 = x1 - 1, y1 - 1
    width, height = size
    x1, y1 = max(x1, 0.0), max(y1, 0.0)
    x2, y2 = min(x2, float(width)), min(y2, float(height))
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def _parse_object(element: ET.Element) -> VOCObject:
    name = (element.findtext('name') or '').strip()
    if not name:
        raise UserError('no <name>')
    bndbox = element.find('bndbox')
    if bndbox is None:
        raise UserError(f'{name} has no <bndbox>')
    try:
        x1, y1, x2, y2 = (float(bndbox.findtext(side) or 'nan') for side in _SIDES)
    except ValueError as error:
        raise UserError(f'{name} has a <bndbox> with no number ({error})') from error
    if not math.isfinite(x1 + y1 + x2 + y2):
        raise UserError(f'{name} has a <bndbox> without four finite numbers')
    difficult = (element.findtext('difficult') or '0').strip()
    return VOCObject(name, (x1, y1, x2, y2), difficult not in ('0', ''))


def _parse_size(root: ET.Element) -> tuple[int, int] | None:
    try:
        width = int(float(root.findtext('size/width') or 0))
        height = int(float(root.findtext('size/height') or 0))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None
