"""Text that people read: counts with their noun, lists, and tables in any script."""

import re
from collections.abc import Sequence

_SINGULAR = (('ies', 'y'), ('xes', 'x'), ('sses', 'ss'), ('s', ''))


def counted(count: int, many: str, one: str = '') -> str:
    """Write a count and what is counted: ``3 images left out``, ``1 image left out``.

    ``one`` is what stands behind 1, by default ``many`` with its first word in the
    singular.
    """
    if count != 1:
        return f'{count} {many}'
    if one:
        return f'1 {one}'
    word, rest = re.fullmatch(r'(\w+)(.*)', many, re.DOTALL).groups()  # type: ignore[union-attr]
    for plural, singular in _SINGULAR:
        if word.endswith(plural):
            return f'1 {word.removesuffix(plural)}{singular}{rest}'
    return f'1 {many}'


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines whose cells are aligned: the first column left, all others right."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return [
        '  '.join(
            padded(cell, size, right=bool(index))
            for index, (cell, size) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def padded(cell: str, size: int, right: bool = False) -> str:
    """Fill a cell up with spaces, on the left if it is to stand ``right``."""
    space = ' ' * (size - width(cell))
    return f'{space}{cell}' if right else f'{cell}{space}'


def width(text: str) -> int:
    """Return how many columns a terminal needs: two for each Korean syllable."""
    # Most text needs nothing of it.
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def shown(items: list[str], most: int = 5) -> str:
    """Name some of the items and count the others."""
    more = f', ... and {len(items) - most} more' if len(items) > most else ''
    return printable(', '.join(items[:most])) + more


def printable(text: str) -> str:
    """Escape bytes of a file name that are not UTF-8, which a terminal can't print."""
    return text.encode(errors='backslashreplace').decode()


def is_utf8(text: str) -> bool:
    """Say whether a text can be written: JSON and file names may hold more."""
    return text.isascii() or printable(text) == text
