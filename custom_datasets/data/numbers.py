"""Coordinates without rounding: sums of printed numbers, and short ones.

A file's ``0.1`` is not the binary number nearest to it, and sums of such
binary numbers differ from the sums of what is printed. Here numbers are what
their shortest decimal says, so that a box survives any number of conversions.
"""

import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from custom_datasets.data.records import Box, BoxRecord
from custom_datasets.errors import UserError

_DOUBLE = 1e-15
"""Error of a share that was printed with all of its digits."""


def add(a: float, b: float) -> float:
    """Add two numbers as they are printed: 0.1 + 0.2 is 0.3."""
    if float(a).is_integer() and float(b).is_integer():
        return a + b
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


Line = tuple[int, list[str]]
"""A line's number, counted from 1, and its words."""

_ENOUGH_DIGITS = 5


def read_labels(path: str) -> list[Line]:
    """Read the lines that are not blank.

    Raises:
        UserError: It can't be read or is not text.
    """
    if not os.path.getsize(path):
        return []
    try:
        with open(path, encoding='utf-8-sig') as file:
            lines = [(number, line.split()) for number, line in enumerate(file, 1)]
    except OSError as error:
        raise UserError(f'{error.strerror}') from error
    except UnicodeError as error:
        raise UserError('not text in UTF-8') from error
    return [(number, words) for number, words in lines if words]


def are_labels(lines: Collection[Line]) -> bool:
    """Say whether there are lines, and all of five or more numbers."""
    return bool(lines) and all(
        len(words) >= 5 and all(map(_is_number, words)) for _, words in lines
    )


def holds_labels(path: str) -> bool:
    """Say whether a file has lines of numbers."""
    try:
        return are_labels(read_labels(path))
    except UserError:
        return False


def count_digits(files: Iterable[Collection[Line]]) -> list[int]:
    """Tell with how many decimals each file was printed.

    A file of few numbers may have fewer than its writer gives, as in
    ``0.5 0.5 1 1``: then the longest of all files counts.
    """
    digits = [
        max((_decimals(w) for _, words in lines for w in words[1:]), default=0)
        for lines in files
    ]
    longest = max(digits, default=0)
    return [found if found >= _ENOUGH_DIGITS else longest for found in digits]


def parse_line(
    words: list[str],
    index: int,
    names: Mapping[int, str],
    size: tuple[int, int],
    digits: int,
) -> BoxRecord:
    """Turn a line into a box.

    Args:
        words: A class's number and four numbers, or three points or more.
        index: Its place in the file.
        names: Class names; empty where they are not known.
        size: The image's width and height in pixels.
        digits: Decimals that the file was printed with.

    Raises:
        UserError: It is neither box nor polygon, or of an unknown class.
    """
    try:
        number, *values = (float(word) for word in words)
    except ValueError as error:
        raise UserError(f'not a number ({error})') from error
    if not number.is_integer() or not all(map(math.isfinite, values)):
        raise UserError('needs the number of a class and finite numbers')
    name = names.get(int(number), None if names else str(int(number)))
    if name is None:
        raise UserError(f'class {int(number)} has no name; there are {len(names)}')
    if len(values) == 4:
        box = from_centre(values, size, digits)
    elif is_polygon(words):
        box = _around(values, size, digits)
    else:
        raise UserError(
            f'{len(words)} numbers; a box has 5 and a polygon an odd number from 7'
        )
    return BoxRecord(index, name, box)


def is_polygon(words: list[str]) -> bool:
    """Say whether a line has points instead of a box."""
    return len(words) >= 7 and len(words) % 2 == 1


def _around(values: list[float], size: tuple[int, int], digits: int) -> Box:
    xs, ys = values[::2], values[1::2]
    width, height = size
    return (
        scale(min(xs), width, digits),
        scale(min(ys), height, digits),
        scale(max(xs), width, digits),
        scale(max(ys), height, digits),
    )


def _decimals(word: str) -> int:
    if not _is_number(word):
        return 0
    exponent = Decimal(word).as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False
