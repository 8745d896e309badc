"""Household waste, sorted by what it is made of: one folder per class.

The twelve classes are those of Kaggle's "Garbage Classification" (mostafaabla).
TrashNet's six (github.com/garythung/trashnet) are ``classes=...``.
"""

from typing import Any

from mmpretrain.registry import DATASETS

from custom_datasets.datasets.class_list import ClassListDataset


@DATASETS.register_module()
class WasteDataset(ClassListDataset):
    """Photographs of one piece of waste each; ``split.py`` writes the lists."""

    METAINFO: dict[str, Any] = {
        'classes': (
            'battery',
            'biological',
            'brown-glass',
            'cardboard',
            'clothes',
            'green-glass',
            'metal',
            'paper',
            'plastic',
            'shoes',
            'trash',
            'white-glass',
        ),
        'palette': [
            (214, 39, 40),
            (140, 180, 60),
            (140, 86, 75),
            (196, 156, 108),
            (227, 119, 194),
            (44, 160, 44),
            (127, 127, 127),
            (31, 119, 180),
            (255, 187, 40),
            (148, 103, 189),
            (70, 70, 70),
            (23, 190, 207),
        ],
    }
