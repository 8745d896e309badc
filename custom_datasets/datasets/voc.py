"""Any folder in Pascal VOC layout as a detection data set."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.registry import DATASETS

from custom_datasets.data.names import (
    UnknownClasses,
    require_class_map,
    with_advice,
)
from custom_datasets.data.problems import Problem
from custom_datasets.data.records import BoxRecord, ImageRecord
from custom_datasets.data.voc import VOCFolder, fold_classes
from custom_datasets.datasets.boxes import BoxDataset
from custom_datasets.errors import UserError


@DATASETS.register_module()
class VOCFolderDataset(BoxDataset):
    """Images, XML files and a list of names, under one root.

    Suffixes of images are found, not assumed, and so are sub-folders that the list
    leaves out. In test mode an image may have no XML file.

    Args:
        ann_file: List of image names, one per line, with or without a suffix; relative
            to ``data_root``.
        img_subdir: Folder of the images under ``data_root``.
        ann_subdir: Folder of the XML files under ``data_root``.
        one_based: Whether the files count pixels from 1, as the VOC devkit and labelImg
            do. A set whose smallest coordinate is 1 and whose largest is the image's
            width is one-based. A file that says it counts from 0, as a conversion
            writes it (``<counts_from>0</counts_from>``), is believed.
        class_map: Class by name in the files, to rename or merge. ``'*'`` stands for
            every name that is neither in the map, nor a class, nor ignored: ``{'*':
            'face'}`` makes all of them faces.
        **kwargs: See :class:`~custom_datasets.datasets.boxes.BoxDataset`.
    """

    def __init__(
        self,
        ann_file: str,
        *,
        img_subdir: str = 'JPEGImages',
        ann_subdir: str = 'Annotations',
        one_based: bool = True,
        class_map: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Load the whole list."""
        self.img_subdir = img_subdir
        self.ann_subdir = ann_subdir
        self.one_based = one_based
        self.class_map = dict(class_map or {})
        super().__init__(ann_file, **kwargs)

    def read_records(
        self, counts: Counter[str]
    ) -> tuple[Sequence[ImageRecord], Sequence[Problem]]:
        """Read every XML file that the list names; in test mode one may be missing."""
        require_class_map(self.class_map, tuple(self._labels))
        root = self.data_root or ''
        folder = VOCFolder(
            os.path.join(root, self.img_subdir),
            os.path.join(root, self.ann_subdir),
            self.one_based,
        )
        try:
            records, problems = folder.read_list(self.ann_file)
        except UserError as error:
            raise with_advice(error, self.ann_file) from error
        if self.class_map:
            kept = self.ignore_classes.union(self._labels)
            records = fold_classes(records, self.class_map, kept)
        if self.test_mode:
            annotated = [p for p in problems if p.code != 'no-annotation']
            counts['images without XML'] = len(problems) - len(annotated)
            problems = annotated
        return records, problems

    def to_info(
        self, record: ImageRecord, unknown: UnknownClasses, counts: Counter[str]
    ) -> dict[str, Any]:
        """Add ``xml_path``, None where there is none."""
        info = super().to_info(record, unknown, counts)
        info['xml_path'] = record.annotation
        return info

    def place_of(self, record: ImageRecord, box: BoxRecord) -> str:
        """Name the XML file."""
        return str(record.annotation)
