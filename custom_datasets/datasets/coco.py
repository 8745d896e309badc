"""Any COCO JSON as a detection data set."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS

from custom_datasets.data.coco import read_coco_images
from custom_datasets.data.images import image_size
from custom_datasets.data.names import UnknownClasses, as_names, read_classes
from custom_datasets.data.records import ImageRecord
from custom_datasets.data.voc import clip_box
from custom_datasets.datasets.boxes import passes_filter, report_loading, require_filter
from custom_datasets.errors import AnnotationError, UserError


@DATASETS.register_module()
class CocoFileDataset(BaseDetDataset):  # type: ignore[misc]
    """Images and boxes that a COCO JSON lists; names number the classes.

    Stock ``CocoDataset`` numbers classes as the file lists them, whatever the
    order in ``METAINFO``, and drops those it does not know without a word. Here
    a label is a name's place in ``METAINFO``. Boxes come out as zero-based
    ``xyxy`` in pixels, clipped to the image; those without an area are dropped.
    What was dropped, clipped or ignored is logged once, with counts.

    Args:
        ann_file: The JSON, relative to ``data_root``. In test mode it may lack
            annotations and categories, as those of competitions do.
        data_root: Folder of everything; paths in messages are normalised.
        data_prefix: ``img``, the folder under ``data_root`` that the JSON's file
            names are relative to.
        ignore_classes: Names that are left out on purpose; any other name of an
            object that is not in ``METAINFO`` is an error.
        filter_cfg: ``filter_empty_gt`` (default False: images without objects
            are kept) and ``min_size`` (pixels), for training only.
        **kwargs: See :class:`mmdet.datasets.BaseDetDataset`.

    Raises:
        ConfigError: ``filter_cfg`` has another key, or a class name is empty
            or stands twice.
        AnnotationError: At load, with everything that is wrong: no JSON, or one
            that is not COCO's, a broken annotation, a missing image or one
            listed twice, an unknown class; in training also a class without a
            box.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(
        self,
        ann_file: str,
        *,
        data_root: str | None = '',
        data_prefix: dict[str, str] | None = None,
        ignore_classes: str | Sequence[str] = (),
        filter_cfg: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Load the whole file."""
        self.ignore_classes = as_names(ignore_classes)
        require_filter(filter_cfg)
        super().__init__(
            ann_file=ann_file,
            data_root=data_root and os.path.normpath(data_root),
            data_prefix={'img': '', **(data_prefix or {})},
            filter_cfg=filter_cfg,
            **kwargs,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the JSON, and apply ``filter_cfg``.

        Returns:
            One dictionary an image: ``img_id`` (its ``file_name``),
            ``img_path``, ``width``, ``height`` and ``instances``, each of these
            with ``bbox`` (zero-based ``xyxy``, pixels), ``bbox_label`` and
            ``ignore_flag`` (1 for ``iscrowd``).
        """
        where = f'{type(self).__name__} {self.ann_file}'
        if not self._metainfo.get('classes'):
            raise AnnotationError(where, ['no classes: state METAINFO or metainfo'])
        classes = read_classes(self._metainfo['classes'])
        self._labels = {name: index for index, name in enumerate(classes)}
        self._unknown = UnknownClasses(classes)
        self._counts: Counter[str] = Counter()
        problems: list[str] = []

        def report(code: str, message: str, index: int | None) -> None:
            place = '' if index is None else f', annotation {index}'
            hint = '; set data_root, or split the data' if code == 'no-list' else ''
            problems.append(f'{self.ann_file}{place}: {message}{hint}')

        folder = self.data_prefix['img']
        records = read_coco_images(self.ann_file, folder, self.test_mode, report)
        if not records and not problems:
            problems.append(f'{self.ann_file}: it lists no image')
        data_list = []
        for one in records:
            try:
                if one.image:
                    data_list.append(self._load_image(one, one.image))
            except UserError as error:
                problems.append(str(error))
        if not self.test_mode and self.filter_cfg:
            kept = [i for i in data_list if passes_filter(i, self.filter_cfg)]
            left_out = len(data_list) - len(kept)
            self._counts['images left out by filter_cfg'] = left_out
            data_list = kept
        problems += self._unknown.problems()
        report_loading(
            where,
            self.ann_file,
            classes,
            data_list,
            self._counts,
            problems,
            self.test_mode,
        )
        return data_list

    def _load_image(self, record: ImageRecord, path: str) -> dict[str, Any]:
        size = record.size or image_size(path)
        return {
            'img_id': record.name,
            'img_path': path,
            'width': size[0],
            'height': size[1],
            'instances': self._instances(record, size),
        }

    def _instances(
        self, record: ImageRecord, size: tuple[int, int]
    ) -> list[dict[str, Any]]:
        instances = []
        for one in record.boxes:
            label = self._labels.get(one.name)
            if label is None:
                if one.name in self.ignore_classes:
                    self._counts['boxes of ignored classes'] += 1
                else:
                    place = f'{self.ann_file}, annotation {one.index}'
                    self._unknown.add(one.name, place)
                continue
            box, clipped = clip_box(one.box, size, one_based=False)
            if box is None:
                self._counts['boxes without area dropped'] += 1
                continue
            self._counts['boxes clipped'] += clipped
            self._counts['crowds'] += one.difficult
            instances.append(
                {'bbox': [*box], 'bbox_label': label, 'ignore_flag': int(one.difficult)}
            )
        return instances
