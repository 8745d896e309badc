"""Images in a list that names each one's class: classification data sets."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from custom_datasets.data.names import (
    UnknownClasses,
    as_names,
    read_classes,
    read_lines,
)
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
        """Read the list.

        Returns:
            One dictionary an image: ``img_path`` and ``gt_label``.
        """
        where = f'{type(self).__name__} {self.ann_file}'
        if not self._metainfo.get('classes'):
            raise AnnotationError(where, ['no classes: state METAINFO or metainfo'])
        classes = read_classes(self._metainfo['classes'])
        problems: list[str] = []
        named = self._read_list(problems)
        unknown = UnknownClasses(classes)
        data_list, ignored = [], 0
        for path, (line, name) in named.items():
            if name in classes:
                if not os.path.isfile(path):
                    problems.append(f'{path}: no such image')
                data_list.append({'img_path': path, 'gt_label': classes.index(name)})
            elif name in self.ignore_classes:
                ignored += 1
            else:
                unknown.add(name, f'{self.ann_file}, line {line}')
        problems += unknown.problems()
        counts = Counter(name for _, name in named.values())
        absent = [name for name in classes if not counts[name]]
        if named and not self.test_mode:
            problems += [f'{self.ann_file}: no image of class {n}' for n in absent]
        if problems:
            raise AnnotationError(where, problems)
        table = ', '.join(f'{name} {counts[name]}' for name in classes)
        note = f'; {ignored} images of ignored classes' if ignored else ''
        print_log(f'{where}: {len(data_list)} images ({table}){note}', logger='current')
        return data_list

    def _read_list(self, problems: list[str]) -> dict[str, tuple[int, str]]:
        """Return the line number and the class by the image's path."""
        try:
            lines = read_lines(self.ann_file)
        except UserError as error:
            hint = 'set data_root, or run the converter that writes the split'
            problems.append(f'{error}; {hint}')
            return {}
        named: dict[str, tuple[int, str]] = {}
        for number, line in lines:
            at = f'{self.ann_file}, line {number}'
            path, _, name = (part.strip() for part in line.rpartition('\t'))
            if not path:
                problems.append(f'{at}: no tab and class behind the path')
                continue
            img_path = os.path.join(self.data_root or '', path)
            if img_path in named:
                first = named[img_path][0]
                problems.append(f'{at}: {path} is in line {first} already')
            named[img_path] = number, name
        return named
