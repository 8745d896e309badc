"""Coordinates without rounding: sums of printed numbers, and short ones.

A file's ``0.1`` is not the binary number nearest to it, and sums of such
binary numbers differ from the sums of what is printed. Here numbers are what
their shortest decimal says, so that a box survives any number of conversions.
"""

from collections.abc import Sequence
from decimal import Decimal

from custom_datasets.voc_xml import Box

_DOUBLE = 1e-15
"""Error of a share that was printed with all of its digits."""


def add(a: float, b: float) -> float:
    """Add two numbers as they are printed: 0.1 + 0.2 is 0.3."""
    return float(Decimal(repr(a)) + Decimal(repr(b)))


def subtract(a: float, b: float) -> float:
    """Subtract as :func:`add` adds."""
    return float(Decimal(repr(a)) - Decimal(repr(b)))


def shortest(value: float, error: float) -> float:
    """Return the number of fewest decimals that is within ``error`` of a value."""
    for digits in range(17):
        rounded = round(value, digits)
        if abs(rounded - value) <= error:
            return rounded
    return value


def as_number(value: float) -> int | float:
    """Return a whole number as an integer, so that it is written as one."""
    return int(value) if float(value).is_integer() else value


def to_zero_based(box: Box, counts_from: int) -> Box:
    """Turn a file's ``xmin, ymin, xmax, ymax`` into edges in pixels from 0.

    Where a file counts from 1, as VOC does, ``xmax`` and ``ymax`` are inside
    the box (VOC2012 development kit, section 8).
    """
    x1, y1, x2, y2 = box
    return (subtract(x1, 1), subtract(y1, 1), x2, y2) if counts_from else box


def from_zero_based(box: Box, counts_from: int) -> Box:
    """Undo :func:`to_zero_based`."""
    x1, y1, x2, y2 = box
    return (add(x1, 1), add(y1, 1), x2, y2) if counts_from else box


def scale(share: float, side: int, digits: int) -> float:
    """Turn a share of an image's side into pixels.

    What was printed with few digits is off by a little: the result is the
    shortest number that could have been printed like this, so that what was
    drawn on whole pixels is on whole pixels again.

    Args:
        share: Of ``side``.
        side: Width or height in pixels.
        digits: Decimals that the file was printed with.
    """
    return _scale(Decimal(repr(share)), side, 0.5 * 10.0**-digits)


def from_centre(values: Sequence[float], size: tuple[int, int], digits: int) -> Box:
    """Turn YOLO's centre, width and height into a box, as :func:`scale` does.

    Args:
        values: Centre x and y, width and height, as shares of ``size``.
        size: The image's width and height in pixels.
        digits: Decimals that the file was printed with.

    Returns:
        Zero-based ``xyxy`` in pixels.
    """
    cx, cy, width, height = (Decimal(repr(value)) for value in values)
    # Half a unit of the last place for the centre, a quarter for half a width.
    error = 0.75 * 10.0**-digits
    return (
        _scale(cx - width / 2, size[0], error),
        _scale(cy - height / 2, size[1], error),
        _scale(cx + width / 2, size[0], error),
        _scale(cy + height / 2, size[1], error),
    )


def to_centre(box: Box, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Undo :func:`from_centre`, to the last digit of a double."""
    x1, y1, x2, y2 = (Decimal(repr(side)) for side in box)
    width, height = size
    return (
        float((x1 + x2) / 2 / width),
        float((y1 + y2) / 2 / height),
        float((x2 - x1) / width),
        float((y2 - y1) / height),
    )


def _scale(share: Decimal, side: int, error: float) -> float:
    # Some more, for what was printed from the middle between two decimals.
    return shortest(float(share * side), max(1.01 * error, _DOUBLE) * side)
