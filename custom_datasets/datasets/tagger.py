"""Everyday photographs in Pascal VOC layout, to be tagged with what is on them."""

from typing import Any

from mmdet.registry import DATASETS

from custom_datasets.datasets.voc import VOCFolderDataset


@DATASETS.register_module()
class TaggerDataset(VOCFolderDataset):
    """Photographs with boxes; the tags are those of the config's ``classes``.

    That is a file with one tag a line, ``configs/tagger/classes.txt`` at first.
    """

    METAINFO: dict[str, Any] = {}
