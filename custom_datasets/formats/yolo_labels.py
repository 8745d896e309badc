"""One label file of YOLO: lines of numbers in, boxes out."""

import math
import os
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from custom_datasets.errors import UserError
from custom_datasets.formats.decimals import from_centre, scale
from custom_datasets.records import BoxRecord
from custom_datasets.voc_xml import Box

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
