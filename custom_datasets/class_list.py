"""Images in a list that names each one's class: classification data sets."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from custom_datasets.class_names import UnknownClasses, read_classes
from custom_datasets.errors import AnnotationError


@DATASETS.register_module()
class ClassListDataset(BaseDataset):  # type: ignore[misc]
    """Images whose class is given by name, never by the order of folders.

    Args:
        ann_file: One image a line: its path, a tab, its class. Paths are
            relative to ``data_root``, and so is ``ann_file``.
        ignore_classes: Classes whose images are left out on purpose; any
            other class that is not in ``METAINFO`` is an error.
        **kwargs: See :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        AnnotationError: At load, with everything that is wrong: a missing
            list or image, a line without a class, an unknown class, no image
            at all; in training also a class without an image.
    """

    METAINFO: dict[str, Any] = {}

    def __init__(
        self, ann_file: str, *, ignore_classes: Sequence[str] = (), **kwargs: Any
    ) -> None:
        """Load the whole list."""
        self.ignore_classes = frozenset(ignore_classes)
        super().__init__(ann_file=ann_file, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the list.

        Returns:
            One dictionary an image: ``img_path`` and ``gt_label``.
        """
        where = f'{type(self).__name__} {self.ann_file}'
        if not self._metainfo.get('classes'):
            raise AnnotationError(where, ['no classes: state METAINFO or metainfo'])
        classes = read_classes(self._metainfo['classes'])
        labels = {name: index for index, name in enumerate(classes)}
        data_list, problems, ignored = [], [], 0
        unknown = UnknownClasses(classes)
        for number, line in self._read_list(problems):
            path, _, name = line.rpartition('\t')
            img_path = os.path.join(self.data_root, path.strip())
            at = f'{self.ann_file}, line {number}'
            if not path:
                problems.append(f'{at}: no tab and class behind the path')
            elif name in self.ignore_classes:
                ignored += 1
            elif name not in labels:
                unknown.add(name, at)
            elif not os.path.exists(img_path):
                problems.append(f'{img_path}: no such image')
            else:
                data_list.append({'img_path': img_path, 'gt_label': labels[name]})
        problems += unknown.problems()
        counts = Counter(classes[info['gt_label']] for info in data_list)
        absent = [name for name in classes if not counts[name]]
        if data_list and not self.test_mode:
            problems += [f'{self.ann_file}: no image of class {n}' for n in absent]
        if problems:
            raise AnnotationError(where, problems)
        table = ', '.join(f'{name} {counts[name]}' for name in classes)
        note = f'; {ignored} images of ignored classes' if ignored else ''
        print_log(f'{where}: {len(data_list)} images ({table}){note}', logger='current')
        return data_list

    def _read_list(self, problems: list[str]) -> list[tuple[int, str]]:
        try:
            with open(self.ann_file, encoding='utf-8') as file:
                lines = [(n, line.rstrip('\r\n')) for n, line in enumerate(file, 1)]
        except OSError as error:
            hint = 'set data_root, or run the converter that writes the split'
            problems.append(f'{self.ann_file}: {error.strerror}; {hint}')
            return []
        lines = [(number, line) for number, line in lines if line.strip()]
        if not lines:
            problems.append(f'{self.ann_file}: the list is empty')
        return lines
