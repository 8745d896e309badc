"""Everyday photographs in Pascal VOC layout, to be tagged with what is on them."""

from typing import Any

from mmdet.registry import DATASETS

from custom_datasets.datasets.voc import VOCFolderDataset


@DATASETS.register_module()
class TaggerDataset(VOCFolderDataset):
    """Photographs with boxes; the config's ``classes`` is a file, one tag per line."""

    METAINFO: dict[str, Any] = {}
