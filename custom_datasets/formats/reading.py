"""Telling what a folder is, and reading it."""

import os
from collections.abc import Callable
from dataclasses import replace

from custom_datasets.errors import MAX_SHOWN, AnnotationError, UserError
from custom_datasets.formats.class_folders import find_classes, read_class_folders
from custom_datasets.formats.coco import find_coco, read_coco
from custom_datasets.formats.metal_surface import find_metal_surface, read_metal_surface
from custom_datasets.formats.paths import shown
from custom_datasets.formats.source import Reading, Source, with_sizes
from custom_datasets.formats.tree import Tree
from custom_datasets.formats.voc import find_voc, read_voc
from custom_datasets.formats.yolo import find_yolo, read_yolo

Find = Callable[[Tree], list[str]]
Read = Callable[[Tree, Reading, int | None], Source]

FORMATS: dict[str, tuple[str, Find, Read]] = {
    'voc': ('Pascal VOC XML', find_voc, read_voc),
    'coco': ('COCO JSON', find_coco, read_coco),
    'yolo': ('YOLO text', find_yolo, read_yolo),
    'metal-surface': ('metal-surface JSON', find_metal_surface, read_metal_surface),
    'class-folders': ('folders of classes', find_classes, read_class_folders),
}
"""For each format what it is called, what lists its evidence, and its reader."""


def recognise(folder: str) -> str:
    """Tell what a folder is stored as, by looking into its files.

    Returns:
        A key of :data:`FORMATS`.

    Raises:
        UserError: It is none of them, or may be several.
    """
    return _recognise(Tree(folder))


def read_source(
    path: str,
    format: str | None = None,
    *,
    counts_from: int | None = None,
    skip_broken: bool = False,
    name: str | None = None,
) -> Source:
    """Read a folder in any of the :data:`FORMATS`. Nothing is changed.

    Args:
        path: The folder; a zip is for :func:`custom_datasets.formats.convert`.
        format: A key of :data:`FORMATS`; by default it is recognised.
        counts_from: Whether VOC's or metal-surface coordinates count pixels
            from 0 or 1; by default from 0 if a box begins at 0.
        skip_broken: Leave out what can't be read, and note it.
        name: What messages call the folder, if not by its path.

    Raises:
        UserError: The folder is of no known format, or has no images.
        AnnotationError: With everything that can't be read.
    """
    if os.path.isfile(path):
        raise UserError(
            f'{path}: not a folder; tools/dataset_converters/convert.py unpacks a zip'
        )
    tree = Tree(path, name)
    reading = Reading()
    read = FORMATS[format or _recognise(tree)][2]
    source = read(tree, reading, counts_from)
    if source.format != 'class-folders':
        source = with_sizes(source, reading)
    _require_names(source, reading)
    if reading.problems and not skip_broken:
        where = f'{tree.name} ({FORMATS[source.format][0]})'
        raise AnnotationError(where, reading.problems)
    left_out = [f'left out: {problem}' for problem in reading.problems[:MAX_SHOWN]]
    if (more := len(reading.problems) - MAX_SHOWN) > 0:
        left_out.append(f'left out: {more} more')
    if not any(source.splits.values()):
        raise UserError(f'{tree.name}: no image can be used')
    notes = (*reading.notes, *source.notes, *left_out)
    return replace(source, notes=notes)


def _recognise(tree: Tree) -> str:
    evidence = {
        name: find(tree)
        for name, (_, find, _) in FORMATS.items()
        if name != 'class-folders'
    }
    found = {name: files for name, files in evidence.items() if files}
    if not found and find_classes(tree):
        return 'class-folders'
    if len(found) == 1:
        return next(iter(found))
    if found:
        texts = [
            f'{len(files)} files of {FORMATS[name][0]} ({shown(files, 2)})'
            for name, files in found.items()
        ]
        raise UserError(
            f'{tree.name}: found {" and ".join(texts)}; name the one to read with '
            f'--from {" or --from ".join(found)}'
        )
    counts = [
        f'{len(tree.ending(suffix))} {suffix}'
        for suffix in ('.xml', '.json', '.txt', '.yaml', '.csv')
    ]
    known = ', '.join(name for name, _, _ in FORMATS.values())
    broken = []
    for file in tree.ending('.json'):
        try:
            tree.load_json(file)
        except UserError as error:
            broken.append(str(error))
    note = f' ({shown(broken, 1)})' if broken else ''
    raise UserError(
        f'{tree.name}: found {len(tree.images)} images, {", ".join(counts)}, but '
        f'nothing in a known format{note}; known are {known}; of folders of classes, '
        'give the folder that holds them all; if it is another of these, name it with '
        '--from, else export it as one of them'
    )


def _require_names(source: Source, reading: Reading) -> None:
    for name in source.classes:
        if not name or not name.isprintable():
            reading.problems.append(f'{name!r} is no name for a class')
