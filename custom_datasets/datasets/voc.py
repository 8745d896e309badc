"""Any folder in Pascal VOC layout as a detection data set."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS

from custom_datasets.data.images import ImageIndex, image_size, without_suffix
from custom_datasets.data.names import (
    UnknownClasses,
    as_names,
    fold_class,
    read_classes,
    read_lines,
    require_class_map,
)
from custom_datasets.data.voc import VOCAnnotation, VOCObject, clip_box, parse_voc_xml
from custom_datasets.datasets.boxes import passes_filter, report_loading, require_filter
from custom_datasets.errors import AnnotationError, UserError


@DATASETS.register_module()
class VOCFolderDataset(BaseDetDataset):  # type: ignore[misc]
    """Images, XML files and a list of names, under one root.

    Boxes come out as zero-based ``xyxy`` in pixels, clipped to the image;
    those without an area are dropped. What was dropped, clipped or ignored is
    logged once, with counts.

    Args:
        ann_file: List of image names, one a line, with or without a suffix;
            relative to ``data_root``.
        data_root: Folder of everything; paths in messages are normalised.
        img_subdir: Folder of the images under ``data_root``. The suffix is
            found, not assumed, and so is a sub-folder that the list leaves out.
        ann_subdir: Folder of the XML files under ``data_root``.
        one_based: Whether the files count pixels from 1, as the VOC devkit
            and labelImg do. A set whose smallest coordinate is 1 and whose
            largest is the image's width is one-based.
        ignore_classes: Names that are left out on purpose; any other name
            that is not in ``METAINFO`` is an error.
        class_map: Class by name in the files, to fold several into one or to
            rename them. ``'*'`` stands for every name that is neither here, nor a
            class, nor ignored: ``{'*': 'face'}`` makes all of them faces.
        filter_cfg: ``filter_empty_gt`` (default False: images without objects
            are kept) and ``min_size`` (pixels), for training only.
        **kwargs: See :class:`mmdet.datasets.BaseDetDataset`.

    Raises:
        ConfigError: ``filter_cfg`` has another key, a class name is empty or
            stands twice, or ``class_map`` has something that is no class.
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
        data_root: str | None = '',
        img_subdir: str = 'JPEGImages',
        ann_subdir: str = 'Annotations',
        one_based: bool = True,
        ignore_classes: str | Sequence[str] = (),
        class_map: Mapping[str, str] | None = None,
        filter_cfg: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Load the whole list."""
        self.img_subdir = img_subdir
        self.ann_subdir = ann_subdir
        self.one_based = one_based
        self.ignore_classes = as_names(ignore_classes)
        self.class_map = dict(class_map or {})
        require_filter(filter_cfg)
        root = data_root and os.path.normpath(data_root)
        super().__init__(
            ann_file=ann_file, data_root=root, filter_cfg=filter_cfg, **kwargs
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read every XML file that the list names, and apply ``filter_cfg``.

        Returns:
            One dictionary an image: ``img_id``, ``img_path``, ``xml_path``,
            ``width``, ``height`` and ``instances``, each of these with
            ``bbox`` (zero-based ``xyxy``, pixels), ``bbox_label`` and
            ``ignore_flag`` (1 for ``difficult``).
        """
        where = f'{type(self).__name__} {self.ann_file}'
        if not self._metainfo.get('classes'):
            raise AnnotationError(where, ['no classes: state METAINFO or metainfo'])
        classes = read_classes(self._metainfo['classes'])
        require_class_map(self.class_map, classes)
        self._labels = {name: index for index, name in enumerate(classes)}
        root = self.data_root or ''
        self._images = ImageIndex(os.path.join(root, self.img_subdir))
        self._annotations = os.path.join(root, self.ann_subdir, '')
        self._unknown = UnknownClasses(classes)
        self._counts: Counter[str] = Counter()
        problems: list[str] = []
        data_list = []
        for image_id, listed in self._read_list(problems).items():
            try:
                info = self._load_image(image_id, listed)
            except UserError as error:
                problems.append(str(error))
                continue
            if self.test_mode or passes_filter(info, self.filter_cfg or {}):
                data_list.append(info)
            else:
                self._counts['images left out by filter_cfg'] += 1
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

    def _read_list(self, problems: list[str]) -> dict[str, str]:
        """Return each listed line by the image name in it."""
        try:
            lines = [line for _, line in read_lines(self.ann_file)]
        except UserError as error:
            hint = 'set data_root, or run the converter that writes the split'
            problems.append(f'{error}; {hint}')
            return {}
        names = [without_suffix(line) for line in lines]
        problems += [
            f'{self.ann_file}: {name} is listed {count} times'
            for name, count in Counter(names).items()
            if count > 1
        ]
        return dict(zip(names, lines, strict=True))

    def _load_image(self, image_id: str, listed: str) -> dict[str, Any]:
        xml_path = f'{self._annotations}{image_id}.xml'
        annotation = VOCAnnotation(None, None, ())
        if os.path.exists(xml_path):
            try:
                annotation = parse_voc_xml(xml_path)
            except UserError as error:
                raise UserError(f'{xml_path}: {error}') from error
        elif self.test_mode:
            self._counts['images without XML'] += 1
        else:
            raise UserError(f'{xml_path}: no such file; only in test mode it may lack')
        img_path = self._images.find(image_id, listed, annotation.filename)
        size = annotation.size or image_size(img_path)
        return {
            'img_id': image_id,
            'img_path': img_path,
            'xml_path': xml_path,
            'width': size[0],
            'height': size[1],
            'instances': self._instances(annotation.objects, size, xml_path),
        }

    def _instances(
        self, objects: Sequence[VOCObject], size: tuple[int, int], xml_path: str
    ) -> list[dict[str, Any]]:
        instances = []
        kept = self.ignore_classes.union(self._labels)
        for raw_name, raw, difficult in objects:
            name = fold_class(raw_name, self.class_map, kept)
            label = self._labels.get(name)
            if label is None:
                if name in self.ignore_classes:
                    self._counts['boxes of ignored classes'] += 1
                else:
                    self._unknown.add(name, xml_path)
                continue
            box, clipped = clip_box(raw, size, self.one_based)
            if box is None:
                self._counts['boxes without area dropped'] += 1
                continue
            if clipped:
                self._counts['boxes clipped'] += 1
            if difficult:
                self._counts['difficult boxes'] += 1
            instances.append(
                {'bbox': [*box], 'bbox_label': label, 'ignore_flag': int(difficult)}
            )
        return instances
