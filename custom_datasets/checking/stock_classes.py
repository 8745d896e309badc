"""Reading mmpretrain's ``CustomDataset``: class folders, or a list of numbers.

Without a list it numbers classes by sorted folder name and compares only their
count with the config's names, so that labels may silently be other names.
"""

import os

from custom_datasets.checking.finding import Finding
from custom_datasets.checking.sources import Source
from custom_datasets.class_names import read_lines
from custom_datasets.errors import UserError
from custom_datasets.images import IMAGE_SUFFIXES
from custom_datasets.records import ImageRecord


def read_stock_classes(
    source: Source, findings: list[Finding]
) -> tuple[list[ImageRecord], tuple[str, ...]]:
    """Read images with the class that stock training gives them.

    Returns:
        The images, whose label is the config's name for their number, and the
        class names: the config's, or else the folders'.
    """
    prefix = source.settings.get('data_prefix') or ''
    inner = prefix.get('img_path') or '' if isinstance(prefix, dict) else prefix
    root = os.path.join(source.root, inner)
    if source.settings.get('ann_file'):
        return _read_list(source, root, findings), source.classes
    folders = (
        sorted(e.name for e in os.scandir(root) if e.is_dir())
        if os.path.isdir(root)
        else []
    )
    classes = source.classes or tuple(folders)
    if folders and tuple(folders) != classes:
        findings.append(
            Finding(
                code='folder-order',
                severity='error',
                message=f'the sorted folders are {", ".join(folders)}, but the classes '
                f'{", ".join(classes)}: labels get the wrong names',
                hint='use ClassListDataset, whose lists name each class '
                '(tools/dataset_converters/convert.py), or sort the classes',
                split=source.split,
                file=root,
            )
        )
    return [
        ImageRecord(name=os.path.relpath(path, root), image=path, label=folder)
        for folder in folders
        for path in _images(os.path.join(root, folder))
    ], classes


def _read_list(source: Source, root: str, findings: list[Finding]) -> list[ImageRecord]:
    images = []
    try:
        lines = read_lines(source.ann_file)
    except UserError as error:
        findings.append(_finding(source, 'no-list', str(error)))
        return []
    for number, line in lines:
        path, _, index = line.rpartition(' ')
        if not path or not index.isdigit() or int(index) >= len(source.classes):
            text = f'line {number}: no path and number of one of the classes'
            findings.append(_finding(source, 'broken-annotation', text))
            continue
        image = os.path.join(root, path)
        if not os.path.isfile(image):
            text = f'line {number}: {image}: no such image'
            findings.append(_finding(source, 'missing-image', text))
        label = source.classes[int(index)]
        images.append(
            ImageRecord(path, image if os.path.isfile(image) else None, label=label)
        )
    return images


def _images(folder: str) -> list[str]:
    return [
        os.path.join(here, file)
        for here, _, files in sorted(os.walk(folder, followlinks=True))
        for file in sorted(files)
        if os.path.splitext(file)[1].lower() in IMAGE_SUFFIXES
    ]


def _finding(source: Source, code: str, message: str) -> Finding:
    return Finding(
        code=code,
        severity='error',
        message=message,
        split=source.split,
        file=source.ann_file,
    )
