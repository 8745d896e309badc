"""What data sets of boxes share: from records to instances, and one report."""

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log

from custom_datasets.data.names import UnknownClasses, as_names, read_classes
from custom_datasets.data.problems import Problem, refused
from custom_datasets.data.records import BoxRecord, ImageRecord
from custom_datasets.data.voc import clip_box, size_of
from custom_datasets.errors import AnnotationError, ConfigError, UserError
from custom_datasets.starting import uncollected
from custom_datasets.text import counted

_FILTERS = ('filter_empty_gt', 'min_size')


class BoxDataset(BaseDetDataset):  # type: ignore[misc]
    """Boxes of the classes in ``METAINFO``, as a reader's records have them.

    A label is a name's index in ``METAINFO``; any other name that is not in
    ``ignore_classes`` is an error. Boxes come out as zero-based ``xyxy`` in pixels,
    clipped to the image; those without an area are dropped. What was dropped, clipped
    or ignored is logged once, with counts. ``ann_file`` is relative to ``data_root``.
    ``filter_cfg`` may have ``filter_empty_gt`` (False by default: images without
    objects are kept) and ``min_size`` (pixels), for training only.

    Raises:
        ConfigError: ``filter_cfg`` has another key, or a class name is empty or appears
            twice.
        AnnotationError: At load, with everything that is wrong; in training also with
            each class without a box.
    """

    METAINFO: dict[str, Any] = {}

    one_based = False
    """Whether the records' boxes count pixels from 1."""

    difficult = 'difficult boxes'
    """What the log calls boxes that count in neither training nor evaluation."""

    def __init__(
        self,
        ann_file: str,
        *,
        data_root: str | None = '',
        ignore_classes: str | Sequence[str] = (),
        filter_cfg: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Load everything."""
        for key in set(filter_cfg or {}) - set(_FILTERS):
            raise ConfigError(
                f'filter_cfg: no {key!r} here, only {" and ".join(_FILTERS)}'
            )
        self.ignore_classes = as_names(ignore_classes)
        super().__init__(
            ann_file=ann_file,
            data_root=data_root and os.path.normpath(data_root),
            filter_cfg=filter_cfg,
            **kwargs,
        )

    @abstractmethod
    def read_records(
        self, counts: Counter[str]
    ) -> tuple[Sequence[ImageRecord], Sequence[Problem]]:
        """Read the images and their problems; add to ``counts`` what is to be logged.

        Raises a UserError where the list or file as a whole can't be read.
        """

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the records, and apply ``filter_cfg``.

        Returns one dictionary per image: ``img_id`` (the record's name), ``img_path``,
        ``width``, ``height`` and ``instances``, each of these with ``bbox`` (zero-based
        ``xyxy``, pixels), ``bbox_label`` and ``ignore_flag``.
        """
        with uncollected():
            return self._load()

    def to_info(
        self, record: ImageRecord, unknown: UnknownClasses, counts: Counter[str]
    ) -> dict[str, Any]:
        """Turn a record with an image file into what a pipeline takes.

        Raises a UserError where neither the record nor the image file has a size.
        """
        size = size_of(record)
        instances = []
        labels = self._labels
        for box_record in record.boxes:
            label = labels.get(box_record.name)
            if label is None:
                if box_record.name in self.ignore_classes:
                    counts['boxes of ignored classes'] += 1
                else:
                    unknown.add(box_record.name, self.place_of(record, box_record))
                continue
            box, clipped = clip_box(box_record.box, size, self.one_based)
            if box is None:
                counts['boxes without area dropped'] += 1
                continue
            if clipped:
                counts['boxes clipped'] += 1
            if box_record.difficult:
                counts[self.difficult] += 1
            instances.append(
                {
                    'bbox': [*box],
                    'bbox_label': label,
                    'ignore_flag': int(box_record.difficult),
                }
            )
        return {
            'img_id': record.name,
            'img_path': record.image,
            'width': size[0],
            'height': size[1],
            'instances': instances,
        }

    def place_of(self, record: ImageRecord, box: BoxRecord) -> str:
        """Say where an object is, as a problem says it."""
        return f'{record.annotation}, object {box.index}'

    def _load(self) -> list[dict[str, Any]]:
        where = f'{type(self).__name__} {self.ann_file}'
        if not self._metainfo.get('classes'):
            raise AnnotationError(where, ['no classes: state METAINFO or metainfo'])
        classes = read_classes(self._metainfo['classes'])
        self._labels = {name: label for label, name in enumerate(classes)}
        unknown = UnknownClasses(classes)
        counts: Counter[str] = Counter()
        try:
            records, found = self.read_records(counts)
        except ConfigError:
            raise
        except UserError as error:
            raise AnnotationError(where, [str(error)]) from error
        problems = [str(problem) for problem in refused(found)]
        if not records and not problems:
            problems.append(f'{self.ann_file}: it lists no image')
        data_list = []
        for record in records:
            if not record.image:
                continue  # A problem says so.
            try:
                info = self.to_info(record, unknown, counts)
            except UserError as error:
                problems.append(str(error))
                continue
            if self.test_mode or self._passes_filter(info):
                data_list.append(info)
            else:
                counts['images left out by filter_cfg'] += 1
        self._report(where, data_list, counts, problems + unknown.problems())
        return data_list

    def _passes_filter(self, info: dict[str, Any]) -> bool:
        chosen = self.filter_cfg or {}
        if chosen.get('filter_empty_gt') and not info['instances']:
            return False
        return bool(min(info['width'], info['height']) >= chosen.get('min_size', 0))

    def _report(
        self,
        where: str,
        data_list: Sequence[dict[str, Any]],
        counts: Counter[str],
        problems: list[str],
    ) -> None:
        labels = Counter(i['bbox_label'] for d in data_list for i in d['instances'])
        boxes = {name: labels[label] for name, label in self._labels.items()}
        absent = [name for name, count in boxes.items() if not count]
        if self.test_mode and absent:
            counts[f'classes without a box ({", ".join(absent)})'] = len(absent)
        elif data_list or not problems:
            problems += [f'{self.ann_file}: no box of class {name}' for name in absent]
        if problems:
            raise AnnotationError(where, problems)
        counts['images without objects'] = sum(not d['instances'] for d in data_list)
        table = ', '.join(f'{name} {count}' for name, count in boxes.items())
        notes = ', '.join(counted(n, what) for what, n in counts.items() if n)
        print_log(
            f'{where}: {counted(len(data_list), "images")}, '
            f'{counted(labels.total(), "boxes")} ({table}); '
            f'{notes or "all clean"}',
            logger='current',
        )
