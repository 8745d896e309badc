"""What a split gives each class, and how far that is from proportional."""

from collections.abc import Mapping, Sequence

from custom_datasets.converters.split_balance import (
    EMPTY,
    Feature,
    Vector,
    count_features,
)
from custom_datasets.converters.splits import Labels


def deviations(
    counts: Mapping[str, Vector], ratios: Mapping[str, int]
) -> dict[Feature, float]:
    """Return how far each count is from proportional, at most.

    Args:
        counts: What is in each part.
        ratios: The shares of the parts that were divided; others are not
            looked at.

    Returns:
        The largest distance between a part's count and its share of what all
        these parts have, in images or in boxes.
    """
    whole = sum(ratios.values())
    result = {}
    for key in _features(counts):
        given = {part: counts[part].get(key, 0) for part in ratios}
        total = sum(given.values())
        distances = (abs(whole * n - ratios[p] * total) for p, n in given.items())
        result[key] = max(distances) / whole
    return result


def split_table(
    labels: Labels,
    parts: Mapping[str, Sequence[str]],
    ratios: Mapping[str, int],
    has_boxes: bool,
) -> str:
    """Draw the images of each class in each part, then the boxes.

    Args:
        labels: For each item the number of boxes of each class in it.
        parts: The items of each part.
        ratios: The shares of the parts that were divided.
        has_boxes: Whether boxes are more than images, and so worth a table.

    Returns:
        Lines of equal columns; the last is :func:`deviations`.
    """
    counts = {
        part: count_features(labels[item] for item in items)
        for part, items in parts.items()
    }
    off = deviations(counts, ratios)
    rows = []
    for kind in ('images', 'boxes') if has_boxes else ('images',):
        rows.append([kind, *parts, 'off by'])
        for key in _features(counts):
            if key[0] == kind:
                given = (str(counts[part].get(key, 0)) for part in parts)
                rows.append([f'  {key[1] or "all"}', *given, f'{off[key]:.1f}'])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(
        '  '.join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _features(counts: Mapping[str, Vector]) -> list[Feature]:
    """List all that is counted: first all images, last those without an object."""
    found = {key for vector in counts.values() for key in vector}
    return sorted(found, key=lambda key: (key[1] == EMPTY, key))
