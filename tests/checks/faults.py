"""A clean drawn data set, faults to plant in it, and what a check must find.

A fault is a function of the data set's root that plants one thing and returns
an :class:`~tests.checks.planting.Expected`. Each takes an image of its own,
so that all can be planted together.
"""

import os
from pathlib import Path

from custom_datasets.samples.boxes import draw_bccd
from tests.checks import annotation_faults, image_faults, split_faults
from tests.checks.planting import ALONE, FAULTS, HARMLESS, Expected

__all__ = [
    'ALONE',
    'CLASSES',
    'FAULTS',
    'HARMLESS',
    'Expected',
    'draw_clean',
    'matches',
    'plant_all',
]

CLASSES = ('RBC', 'WBC', 'Platelets')
MODULES = (annotation_faults, image_faults, split_faults)


def draw_clean(root, size=(320, 240)):
    """Draw a set without a fault: BCCD's layout, PNG, one-based XML, three lists.

    The training list has an image for each fault and a few that none takes; the
    other two have enough of each class to measure with.
    """
    count = len(FAULTS) + len(HARMLESS) + 6
    draw_bccd(str(root), {'train': count, 'val': 24, 'test': 24}, size)
    return Path(root)


def plant_all(root):
    """Plant every fault that goes with the others; returns them by name."""
    return {name: plant(root) for name, plant in FAULTS.items()}


def matches(expected, finding, root):
    """Whether a finding is the expected one: code, split, file and object."""
    files = [
        os.path.join(root, file) for file in (expected.file, expected.other) if file
    ]
    return (
        finding.code == expected.code
        and (expected.split is None or finding.split == expected.split)
        and os.path.normpath(finding.file or '') in map(os.path.normpath, files)
        and finding.object == expected.object
    )
