"""Images in a list that names each one's class: classification data sets."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from custom_datasets.data.folders import read_class_list
from custom_datasets.data.names import UnknownClasses, as_names, read_classes
from custom_datasets.data.problems import refused
from custom_datasets.errors import AnnotationError, UserError


@DATASETS.register_module()
class ClassListDataset(BaseDataset):  # type: ignore[misc]
    """Images whose class is given by name, never by the order of folders.

    Args:
        ann_file: One image a line: its path, a tab, its class. Paths are
            relative to ``data_root``, and so is ``ann_file``.
        data_root: Folder of everything; paths in messages are normalised.
        ignore_classes: Classes whose images are left out on purpose; any
            other class that is not in ``METAINFO`` is an error.
        **kwargs: See :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        AnnotationError: At load, with everything that is wrong: a missing
            list or image, a line without a class, an unknown class, an image
            listed twice, no image at all; in training also a class without an
            image.
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
            hint = 'set data_root, or run the converter that writes the split'
            raise AnnotationError(where, [f'{error}; {hint}']) from error
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
        note = f'; {ignored} images of ignored classes' if ignored else ''
        print_log(f'{where}: {len(data_list)} images ({table}){note}', logger='current')
        return data_list
