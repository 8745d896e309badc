"""Faces, whatever else their source says about them.

WIDER FACE in VOC layout (github.com/sovrasov/wider-face-pascal-voc-annotations): images
are in one folder per event, all XML files in one, and the lists name no folder. Its
coordinates count from 0. Names of other sets are folded into ``face`` by ``class_map``.
"""

from typing import Any

from mmdet.registry import DATASETS

from custom_datasets.datasets.voc import VOCFolderDataset


@DATASETS.register_module()
class FaceDataset(VOCFolderDataset):
    """One class, in any folder in VOC layout."""

    METAINFO: dict[str, Any] = {'classes': ('face',), 'palette': [(255, 187, 51)]}
