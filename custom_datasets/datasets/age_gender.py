"""Faces by age and gender: five decades, female and male.

The crops come from ``tools/dataset_converters/age_gender.py``.
"""

from typing import Any

from mmpretrain.registry import DATASETS

from custom_datasets.datasets.class_list import ClassListDataset


@DATASETS.register_module()
class AgeGenderDataset(ClassListDataset):
    """Square crops of faces; ``attributes`` say what a class means."""

    METAINFO: dict[str, Any] = {
        'classes': (
            '20s_female',
            '20s_male',
            '30s_female',
            '30s_male',
            '40s_female',
            '40s_male',
            '50s_female',
            '50s_male',
            '60s_female',
            '60s_male',
        ),
        'attributes': {
            'decade': {
                '20s_female': 2,
                '20s_male': 2,
                '30s_female': 3,
                '30s_male': 3,
                '40s_female': 4,
                '40s_male': 4,
                '50s_female': 5,
                '50s_male': 5,
                '60s_female': 6,
                '60s_male': 6,
            },
            'gender': {
                '20s_female': 'female',
                '20s_male': 'male',
                '30s_female': 'female',
                '30s_male': 'male',
                '40s_female': 'female',
                '40s_male': 'male',
                '50s_female': 'female',
                '50s_male': 'male',
                '60s_female': 'female',
                '60s_male': 'male',
            },
        },
        'palette': [
            (247, 182, 210),
            (158, 202, 225),
            (227, 119, 194),
            (107, 174, 214),
            (214, 39, 120),
            (31, 119, 180),
            (160, 20, 90),
            (8, 81, 156),
            (100, 10, 60),
            (8, 48, 107),
        ],
    }
