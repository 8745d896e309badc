"""What a detector's report says in a few plain sentences."""

from collections.abc import Mapping
from typing import Any

from custom_datasets.run_report.cells import decimal, with_interval

KINDS = {
    'missed': ('missed', 'no box is where the object is'),
    'background': ('background', 'a box where nothing is annotated'),
    'localisation': ('localisation', 'the right class, but the box is too far off'),
    'class': ('class', 'the right place, but another class'),
    'both': ('both', 'another class, and the box is too far off'),
    'duplicate': ('duplicate', 'a second box on an object that is found already'),
}
"""What each kind of error is called, and what it is."""

Content = Mapping[str, Any]


def detection_summary(content: Content) -> list[str]:
    """Say how good it is, which threshold to take, what fails and why.

    Args:
        content: What ``detection_report`` returned.
    """
    return [
        _quality(content),
        _threshold(content),
        *filter(None, [_worst(content)]),
    ]


def worst_class(content: Content) -> int | None:
    """Return the class with the lowest area-AP50; None where there is no choice."""
    known = {
        index: row['area_ap50']['value']
        for index, row in enumerate(content['per_class'])
        if row['area_ap50']['value'] is not None
    }
    return min(known, key=lambda index: known[index]) if len(known) > 1 else None


def main_error(errors: Content, label: int | None = None) -> Content | None:
    """Return the kind of error that costs most; of one class, or of all.

    Returns:
        Its ``kind``, ``count`` and ``dap``, or None where nothing costs.
    """
    rows = [
        {'kind': row['kind'], **(row if label is None else row['per_class'][label])}
        for row in errors['types']
    ]
    worst = max(rows, key=lambda row: row['dap'] or 0.0)
    return worst if worst['dap'] else None


def threshold_source(content: Content) -> str:
    """Say where the threshold was chosen."""
    return {
        'validation': 'chosen on the validation set',
        'test': 'chosen on the test set itself',
        'default': 'not chosen, for want of data',
    }[content['thresholds']['chosen_on']]


def _quality(content: Content) -> str:
    overall = content['overall']
    return (
        f'area-AP50 {with_interval(overall["area_ap50"])}, COCO AP '
        f'{with_interval(overall["coco"]["AP"])}, on {content["images"]:,} images with '
        f'{content["objects"]:,} objects.'
    )


def _threshold(content: Content) -> str:
    point = content['thresholds']['overall']
    return (
        f'Threshold to deploy: {decimal(point["threshold"])}, '
        f'{threshold_source(content)}; at it precision is '
        f'{decimal(point["precision"]["value"])} and recall '
        f'{decimal(point["recall"]["value"])}.'
    )


def _worst(content: Content) -> str | None:
    index = worst_class(content)
    if index is None:
        return None
    row = content['per_class'][index]
    text = (
        f'Worst class: {row["name"]} with area-AP50 {with_interval(row["area_ap50"])}'
    )
    error = main_error(content['errors'], index)
    if error is None:
        return f'{text}.'
    name, meaning = KINDS[error['kind']]
    return (
        f'{text}; what costs it most is {name} ({meaning}), '
        f'{decimal(error["dap"])} of AP.'
    )
