"""BCCD: blood cells, 364 images of 640x480, official split 205/87/72.

Source: https://github.com/Shenggan/BCCD_Dataset (MIT). Coordinates are one-based: over
all 4888 boxes the smallest is 1, the largest the full width.
"""

from typing import Any

from mmdet.registry import DATASETS

from custom_datasets.datasets.voc import VOCFolderDataset


@DATASETS.register_module()
class BCCDDataset(VOCFolderDataset):
    """Red cells, white cells and platelets, in VOC layout."""

    METAINFO: dict[str, Any] = {
        'classes': ('RBC', 'WBC', 'Platelets'),
        'palette': [(214, 39, 40), (31, 119, 180), (255, 187, 51)],
    }
