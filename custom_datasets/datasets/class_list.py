"""Classification data sets: a list of images that names each one's class."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from custom_datasets.data.folders import read_class_list
from custom_datasets.data.names import (
    UnknownClasses,
    as_names,
    read_classes,
    with_advice,
)
from custom_datasets.data.problems import refused
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.text import counted


@DATASETS.register_module()
class ClassListDataset(BaseDataset):  # type: ignore[misc]
    """Images whose class is given by name, never by the order of folders.

    ``ann_file`` has one image per line: its path, a tab, its class. Paths are relative
    to ``data_root``, and so is ``ann_file``. A class that is in neither ``METAINFO``
    nor ``ignore_classes`` is an error. At load an AnnotationError has everything that
    is wrong; in training also each class without an image.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(
        self,
        ann_file: str,
        *,
        data_root: str = '',
        ignore_classes: str | Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        """Load the whole list."""
        self.ignore_classes = as_names(ignore_classes)
        root = data_root and os.path.normpath(data_root)
        super().__init__(ann_file=ann_file, data_root=root, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the list: ``img_path`` and ``gt_label`` per image."""
        where = f'{type(self).__name__} {self.ann_file}'
        if not self._metainfo.get('classes'):
            raise AnnotationError(where, ['no classes: state METAINFO or metainfo'])
        classes = read_classes(self._metainfo['classes'])
        try:
            records, found = read_class_list(
                self.ann_file, self.data_root or '', self.ignore_classes
            )
        except UserError as error:
            advice = with_advice(error, self.ann_file)
            raise AnnotationError(where, [str(advice)]) from error
        problems = [str(problem) for problem in refused(found)]
        unknown = UnknownClasses(classes)
        data_list, ignored = [], 0
        for line, record in records.items():
            label = str(record.label)
            if label in self.ignore_classes:
                ignored += 1
            elif label not in classes:
                unknown.add(label, f'{self.ann_file}, line {line}')
            else:
                info = {'img_path': record.image, 'gt_label': classes.index(label)}
                data_list.append(info)
        problems += unknown.problems()
        counts = Counter(record.label for record in records.values())
        absent = [name for name in classes if not counts[name]]
        if records and not self.test_mode:
            problems += [f'{self.ann_file}: no image of class {n}' for n in absent]
        if problems:
            raise AnnotationError(where, problems)
        table = ', '.join(f'{name} {counts[name]}' for name in classes)
        note = f'; {counted(ignored, "images")} of ignored classes' if ignored else ''
        images = counted(len(data_list), 'images')
        print_log(f'{where}: {images} ({table}){note}', logger='current')
        return data_list
