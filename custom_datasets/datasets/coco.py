"""Any COCO JSON as a detection data set."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmdet.registry import DATASETS

from custom_datasets.data.coco import read_coco_file
from custom_datasets.data.names import with_advice
from custom_datasets.data.problems import Problem
from custom_datasets.data.records import ImageRecord
from custom_datasets.data.tree import images_in
from custom_datasets.datasets.boxes import BoxDataset
from custom_datasets.errors import UserError


@DATASETS.register_module()
class CocoFileDataset(BoxDataset):
    """Images and boxes that a COCO JSON lists; names number the classes.

    Stock ``CocoDataset`` numbers classes as the file lists them, whatever the order in
    ``METAINFO``, and silently drops those it does not know. Here ``img_id`` is an
    image's ``file_name``, with slashes and without ``./``, relative to the folder
    ``data_prefix['img']`` under ``data_root``; one of another machine is found by its
    end. ``ignore_flag`` is 1 for ``iscrowd``. In test mode the JSON may have no
    annotations and categories, like those of competitions. See
    :class:`~custom_datasets.datasets.boxes.BoxDataset` for the rest.
    """

    difficult = 'crowds'

    def __init__(
        self,
        ann_file: str,
        *,
        data_prefix: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Load the whole file."""
        data_prefix = {'img': '', **(data_prefix or {})}
        super().__init__(ann_file, data_prefix=data_prefix, **kwargs)

    def read_records(
        self, counts: Counter[str]
    ) -> tuple[Sequence[ImageRecord], Sequence[Problem]]:
        """Read the JSON."""
        try:
            find_image = images_in(self.data_prefix['img'], self.data_root or '.')
            file, problems = read_coco_file(
                self.ann_file, find_image, needs_truth=not self.test_mode
            )
        except UserError as error:
            raise with_advice(error, self.ann_file) from error
        return file.images, problems
