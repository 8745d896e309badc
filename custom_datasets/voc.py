"""Any folder in Pascal VOC layout as a detection data set."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS
from mmengine.logging import print_log

from custom_datasets.class_names import UnknownClasses
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.images import IMAGE_SUFFIXES, ImageIndex, image_size
from custom_datasets.voc_xml import VOCAnnotation, clip_box, parse_voc_xml


@DATASETS.register_module()
class VOCFolderDataset(BaseDetDataset):  # type: ignore[misc]
    """Images, XML files and a list of names, under one root.

    Boxes come out as zero-based ``xyxy`` in pixels, clipped to the image;
    those without an area are dropped. What was dropped, clipped or ignored is
    logged once, with counts.

    Args:
        ann_file: List of image names, one a line, with or without a suffix;
            relative to ``data_root``.
        img_subdir: Folder of the images under ``data_root``. The suffix is
            found, not assumed.
        ann_subdir: Folder of the XML files under ``data_root``.
        one_based: Whether the files count pixels from 1, as the VOC devkit
            and labelImg do. A set whose smallest coordinate is 1 and whose
            largest is the image's width is one-based.
        ignore_classes: Names that are left out on purpose; any other name
            that is not in ``METAINFO`` is an error.
        filter_cfg: ``filter_empty_gt`` (default False: images without objects
            are kept) and ``min_size`` (pixels), for training only.
        **kwargs: See :class:`mmdet.datasets.BaseDetDataset`.

    Raises:
        AnnotationError: At load, with everything that is wrong: a missing
            list, image or XML file, broken XML, an unknown class, a name
            listed twice, no image at all; in training also a class without a
            box. In test mode an image may have no XML file.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(
        self,
        ann_file: str,
        *,
        img_subdir: str = 'JPEGImages',
        ann_subdir: str = 'Annotations',
        one_based: bool = True,
        ignore_classes: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        """Load the whole list."""
        self.img_subdir = img_subdir
        self.ann_subdir = ann_subdir
        self.one_based = one_based
        self.ignore_classes = frozenset(ignore_classes)
        self._counts: Counter[str] = Counter()
        super().__init__(ann_file=ann_file, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read every XML file that the list names.

        Returns:
            One dictionary an image: ``img_id``, ``img_path``, ``xml_path``,
            ``width``, ``height`` and ``instances``, each of these with
            ``bbox`` (zero-based ``xyxy``, pixels), ``bbox_label`` and
            ``ignore_flag`` (1 for ``difficult``).
        """
        where = f'{type(self).__name__} {self.ann_file}'
        classes = self._metainfo.get('classes')
        if not classes:
            raise AnnotationError(where, ['no classes: state METAINFO or metainfo'])
        self._labels = {name: index for index, name in enumerate(classes)}
        self._images = ImageIndex(os.path.join(self.data_root, self.img_subdir))
        self._unknown = UnknownClasses(classes)
        self._counts.clear()
        problems: list[str] = []
        data_list = []
        for image_id in self._read_list(problems):
            try:
                data_list.append(self._load_image(image_id))
            except UserError as error:
                problems.append(str(error))
        problems += self._unknown.problems()
        self._require_boxes(data_list, problems)
        if problems:
            raise AnnotationError(where, problems)
        print_log(f'{where}: {self._summary(data_list)}', logger='current')
        return data_list

    def filter_data(self) -> list[dict[str, Any]]:
        """Apply ``filter_cfg``; in test mode keep every image."""
        if self.test_mode or not self.filter_cfg:
            return self.data_list
        filter_empty = self.filter_cfg.get('filter_empty_gt', False)
        min_size = self.filter_cfg.get('min_size', 0)
        return [
            info
            for info in self.data_list
            if min(info['width'], info['height']) >= min_size
            and (info['instances'] or not filter_empty)
        ]

    def _read_list(self, problems: list[str]) -> list[str]:
        try:
            with open(self.ann_file, encoding='utf-8') as file:
                lines = [line.strip() for line in file]
        except OSError as error:
            hint = 'set data_root, or run the converter that writes the split'
            problems.append(f'{self.ann_file}: {error.strerror}; {hint}')
            return []
        names = [_without_suffix(line) for line in lines if line]
        problems += [
            f'{self.ann_file}: {name} is listed {count} times'
            for name, count in Counter(names).items()
            if count > 1
        ]
        if not names:
            problems.append(f'{self.ann_file}: the list is empty')
        return names

    def _load_image(self, image_id: str) -> dict[str, Any]:
        xml_path = os.path.join(self.data_root, self.ann_subdir, f'{image_id}.xml')
        annotation = VOCAnnotation(None, None, ())
        if os.path.exists(xml_path):
            try:
                annotation = parse_voc_xml(xml_path)
            except UserError as error:
                raise UserError(f'{xml_path}: {error}') from error
        elif self.test_mode:
            self._counts['images without XML'] += 1
        else:
            raise UserError(f'{xml_path}: missing')
        img_path = self._images.find(image_id, annotation.filename)
        if img_path is None:
            raise UserError(f'{self._images.root}/{image_id}.*: no such image')
        size = annotation.size or image_size(img_path)
        instances = self._instances(annotation, size, xml_path)
        return {
            'img_id': image_id,
            'img_path': img_path,
            'xml_path': xml_path,
            'width': size[0],
            'height': size[1],
            'instances': instances,
        }

    def _instances(
        self,
        annotation: VOCAnnotation,
        size: tuple[int, int],
        xml_path: str,
    ) -> list[dict[str, Any]]:
        instances = []
        shift = 1 if self.one_based else 0
        for obj in annotation.objects:
            label = self._labels.get(obj.name)
            if label is None:
                if obj.name in self.ignore_classes:
                    self._counts['boxes of ignored classes'] += 1
                else:
                    self._unknown.add(obj.name, xml_path)
                continue
            box = clip_box(obj.box, size, self.one_based)
            if box is None:
                self._counts['boxes without area dropped'] += 1
                continue
            x1, y1, x2, y2 = obj.box
            self._counts['boxes clipped'] += box != (x1 - shift, y1 - shift, x2, y2)
            self._counts['difficult boxes'] += obj.difficult
            instances.append(
                {
                    'bbox': list(box),
                    'bbox_label': label,
                    'ignore_flag': int(obj.difficult),
                }
            )
        return instances

    def _require_boxes(
        self, data_list: list[dict[str, Any]], problems: list[str]
    ) -> None:
        found = {i['bbox_label'] for info in data_list for i in info['instances']}
        absent = [name for name, label in self._labels.items() if label not in found]
        if not absent:
            return
        if self.test_mode:
            self._counts[f'classes without a box ({", ".join(absent)})'] = len(absent)
        elif data_list:
            problems += [f'{self.ann_file}: no box of class {name}' for name in absent]

    def _summary(self, data_list: list[dict[str, Any]]) -> str:
        labels = Counter(i['bbox_label'] for d in data_list for i in d['instances'])
        boxes = ', '.join(f'{n} {labels[i]}' for n, i in self._labels.items())
        self._counts['images without objects'] = sum(
            not info['instances'] for info in data_list
        )
        notes = ', '.join(
            f'{count} {what}' for what, count in self._counts.items() if count
        )
        total = sum(labels.values())
        return (
            f'{len(data_list)} images, {total} boxes ({boxes}); {notes or "all clean"}'
        )


def _without_suffix(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in (*IMAGE_SUFFIXES, '.xml') else name
