"""Photographs of waste to recycle, from a competition with an unlabelled test set."""

from mmdet.registry import DATASETS

from custom_datasets.datasets.coco import CocoFileDataset


@DATASETS.register_module()
class RecyclingDataset(CocoFileDataset):
    """Ten classes, in the order of the competition's numbers, from 0."""

    METAINFO = {
        'classes': (
            'General trash',
            'Paper',
            'Paper pack',
            'Metal',
            'Glass',
            'Plastic',
            'Styrofoam',
            'Plastic bag',
            'Battery',
            'Clothing',
        ),
        'palette': [
            (128, 64, 64),
            (220, 190, 120),
            (255, 140, 0),
            (120, 120, 130),
            (60, 180, 75),
            (0, 130, 200),
            (145, 30, 180),
            (240, 50, 230),
            (220, 20, 60),
            (0, 128, 128),
        ],
    }
