"""Coordinates without rounding, and YOLO's lines of numbers.

A file's ``0.1`` is not the binary number nearest to it, and sums of such binary numbers
differ from the sums of what is printed. Here a number is what its shortest decimal
says, so that a box survives any number of conversions.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from io import StringIO

from custom_datasets.data.opening import read_text
from custom_datasets.data.records import Box, BoxRecord
from custom_datasets.errors import UserError

Line = tuple[int, list[str]]
"""A line's number, counted from 1, and its words."""

_DOUBLE = 1e-15
"""Error of a share that was printed with all of its digits."""

_ENOUGH_DIGITS = 5

LARGEST = 1e12
"""Pixels that no coordinate reaches; products of smaller ones stay finite."""

_LARGEST_SHARE = 2
"""Beyond any slip of the hand: a coordinate from here on is in pixels."""


def add(a: float, b: float) -> float:
    """Add two numbers as they are printed: 0.1 + 0.2 is 0.3."""
    if float(a).is_integer() and float(b).is_integer():
        return a + b
    return float(Decimal(repr(a)) + Decimal(repr(b)))


def subtract(a: float, b: float) -> float:
    """Subtract as :func:`add` adds."""
    return add(a, -b)


def finite_numbers(values: object) -> list[float]:
    """Return the numbers of a list, or nothing unless all are numbers of pixels.

    They may be text; true and false, NaN and those from :data:`LARGEST` on are none.
    """
    if type(values) is not list:
        return []
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        return []
    if (1 in numbers or 0 in numbers) and bool in map(type, values):
        return []
    # The length of a vector is as fast as a sum, and no two sides cancel out in it.
    return numbers if math.hypot(*numbers) < LARGEST else []


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


def to_centre(box: Box, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return YOLO's centre x and y, width and height, as shares of an image's sides.

    The box is zero-based ``xyxy`` and the size width and height, all in pixels.
    """
    x1, y1, x2, y2 = (Decimal(repr(side)) for side in box)
    width, height = size
    return (
        float((x1 + x2) / 2 / width),
        float((y1 + y2) / 2 / height),
        float((x2 - x1) / width),
        float((y2 - y1) / height),
    )


def read_labels(path: str) -> list[Line]:
    """Read the lines that are not blank; a UserError does not name the file."""
    try:
        text = StringIO(read_text(path), newline=None)
    except OSError as error:
        raise UserError(f'{error.strerror}') from error
    except UnicodeError as error:
        raise UserError('not text in UTF-8; save it as such') from error
    lines = ((number, line.split()) for number, line in enumerate(text, 1))
    return [(number, words) for number, words in lines if words]


def holds_labels(path: str) -> bool:
    """Say whether a file has lines, and only such of five or more numbers."""
    try:
        lines = read_labels(path)
    except UserError:
        return False
    return bool(lines) and all(
        len(words) >= 5 and all(map(_is_number, words)) for _, words in lines
    )


def count_digits(files: Iterable[Collection[Line]]) -> list[int]:
    """Tell with how many decimals each file was printed.

    A file of few numbers may have fewer than its writer gives, as in ``0.5 0.5 1 1``:
    then the longest of all files counts.
    """
    digits = [
        max((_decimals(w) for _, words in lines for w in words[1:]), default=0)
        for lines in files
    ]
    longest = max(digits, default=0)
    return [count if count >= _ENOUGH_DIGITS else longest for count in digits]


def is_polygon(words: list[str]) -> bool:
    """Say whether a line has points instead of a box."""
    return len(words) >= 7 and len(words) % 2 == 1


def parse_line(
    words: list[str],
    index: int,
    names: Mapping[int, str],
    size: tuple[int, int],
    digits: int,
) -> BoxRecord:
    """Turn a line into a box in pixels, or into the box around a polygon.

    A line is a class's number and four numbers, or at least three points; the size is
    the image's width and height in pixels. What was printed with few digits is off by a
    little: a side is the shortest number that could have been printed like this, so
    that what was drawn on whole pixels is on whole pixels again. Raises a UserError
    where it is neither box nor polygon, or of an unknown class.
    """
    try:
        number, *values = (float(word) for word in words)
    except ValueError as error:
        raise UserError(f'not a number ({error})') from error
    if not all(map(math.isfinite, (number, *values))):
        raise UserError('not a finite number')
    if number < 0 or not number.is_integer():
        raise UserError(f'{words[0]} is not the number of a class')
    if len(values) != 4 and not is_polygon(words):
        raise UserError(
            f'{len(words)} numbers; a box has 5, and a polygon an odd number of at '
            'least 7'
        )
    name = names.get(int(number), None if names else str(int(number)))
    if name is None:
        raise UserError(f'class {int(number)} has no name; there are {len(names)}')
    largest = max(values, key=abs)
    if abs(largest) > _LARGEST_SHARE:
        raise UserError(
            f'{largest:g} is not a share of the image; YOLO divides pixels by the '
            "image's width or height"
        )
    box = _from_centre if len(values) == 4 else _around
    return BoxRecord(index, name, box(values, size, digits))


def _from_centre(values: Sequence[float], size: tuple[int, int], digits: int) -> Box:
    cx, cy, width, height = (Decimal(repr(value)) for value in values)
    # Half a unit of the last place for the centre, a quarter for half a width.
    error = 0.75 * 10.0**-digits
    return (
        _scale(cx - width / 2, size[0], error),
        _scale(cy - height / 2, size[1], error),
        _scale(cx + width / 2, size[0], error),
        _scale(cy + height / 2, size[1], error),
    )


def _around(values: Sequence[float], size: tuple[int, int], digits: int) -> Box:
    xs, ys = ([Decimal(repr(v)) for v in values[start::2]] for start in (0, 1))
    error = 0.5 * 10.0**-digits
    return (
        _scale(min(xs), size[0], error),
        _scale(min(ys), size[1], error),
        _scale(max(xs), size[0], error),
        _scale(max(ys), size[1], error),
    )


def _scale(share: Decimal, side: int, error: float) -> float:
    # A little more, for a number printed from halfway between two decimals.
    return _shortest(float(share * side), max(1.01 * error, _DOUBLE) * side)


def _shortest(value: float, error: float) -> float:
    """Return the number of fewest decimals that is within ``error`` of a value."""
    for digits in range(17):
        rounded = round(value, digits)
        if abs(rounded - value) <= error:
            return rounded
    return value


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
