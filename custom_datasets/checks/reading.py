"""The data sets of a config as records, and what their readers report as findings."""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from custom_datasets.checks.codes import IN_COCO, STOCK_COCO, find, grade_problem
from custom_datasets.data.cache import ResultCache
from custom_datasets.data.coco import read_coco_file
from custom_datasets.data.config_sources import COCO_KINDS, Source
from custom_datasets.data.folders import read_class_list
from custom_datasets.data.image_kinds import IMAGE_SUFFIXES
from custom_datasets.data.names import (
    EmptyListError,
    as_names,
    class_problems,
    read_lines,
    require_class_map,
)
from custom_datasets.data.problems import Finding, Problem
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.data.scan import Answer, Reader, packed, scan_files
from custom_datasets.data.tree import images_in, is_folder
from custom_datasets.data.voc import VOCFile, VOCFolder, fold_classes, read_voc_file
from custom_datasets.errors import ConfigError, UserError

ReadXML = Callable[[Iterable[str]], Mapping[str, VOCFile]]
Records = tuple[list[ImageRecord], list[Problem]]


def read_xml_files(
    paths: Iterable[str], cache: ResultCache | None = None
) -> dict[str, VOCFile]:
    """Read many files, and only what the cache does not know."""
    return {
        path: VOCFile(broken=((str(xml), None),)) if isinstance(xml, UserError) else xml
        for path, xml in scan_files(XML_FILES, paths, cache=cache).items()
    }


def answer_xml(path: str) -> Answer:
    """Read one file, to be packed."""
    return packed(path, partial(read_voc_file, strays=True), _pack)


def _pack(xml: VOCFile) -> list[Any]:
    boxes = [[box.index, box.name, box.box, box.difficult] for box in xml.boxes]
    return [boxes, *xml[1:]]


def _unpack(values: Any) -> VOCFile:
    boxes, size, filename, broken, stray, from_zero, origin = values
    records = (BoxRecord(i, name, tuple(box), hard) for i, name, box, hard in boxes)
    return VOCFile(
        tuple(records),
        size and tuple(size),
        filename,
        tuple((text, index) for text, index in broken),
        tuple(stray),
        from_zero,
        origin,
    )


XML_FILES = Reader('voc-xml', '6', answer_xml, _unpack, worth_processes=2000)


def read_sources(
    sources: Iterable[Source], read_files: ReadXML = read_xml_files
) -> tuple[list[SplitRecords], list[Finding]]:
    """Read data sets: records of what can be read, and findings on the rest.

    All data sets' XML files are read in one call of ``read_files``.
    """
    sources = list(sources)
    folders = {i: _voc_folder(s) for i, s in enumerate(sources) if s.kind in _VOC_KINDS}
    paths: dict[str, None] = {}
    for index, folder in folders.items():
        try:
            paths.update(dict.fromkeys(folder.listed_files(sources[index].ann_file)))
        except UserError:
            continue  # Read again below, and reported there.
    files = read_files(paths)
    findings: list[Finding] = []
    splits = []
    for index, source in enumerate(sources):
        classes = source.classes
        images: list[ImageRecord] = []
        try:
            if index in folders:
                images, problems = _voc_images(source, folders[index], files)
            elif source.kind in COCO_KINDS:
                images, problems = _coco_images(source)
            elif source.kind == 'class-list':
                ignored = as_names(source.settings.get('ignore_classes') or ())
                lines, problems = read_class_list(source.ann_file, source.root, ignored)
                images = list(lines.values())
            else:
                images, problems, classes = _stock_classes(source)
        except UserError as error:
            problems = [_unread_list(source.ann_file, error)]
        problems += [
            Problem('class-names', text, source.ann_file)
            for text in class_problems(source.classes)
        ]
        findings += [_graded(problem, source) for problem in problems]
        splits.append(
            SplitRecords(
                split=source.split,
                classes=classes,
                images=tuple(images),
                one_based=source.kind == 'stock-voc'
                or bool(source.settings.get('one_based')),
                ignored=as_names(source.settings.get('ignore_classes') or ()),
                source=source.ann_file,
            )
        )
    return splits, findings


_VOC_KINDS = ('voc', 'stock-voc')


def _graded(problem: Problem, source: Source) -> Finding:
    cases = {'no-image': IN_COCO}
    if source.kind == 'coco':
        cases['loose-coco'] = STOCK_COCO
    if source.kind not in COCO_KINDS or problem.code not in cases:
        return grade_problem(problem, source.split, source.test_mode)
    return find(
        problem.code,
        problem.message,
        case=cases[problem.code],
        split=source.split,
        file=problem.file,
        object=problem.object,
    )


def _unread_list(path: str, error: UserError) -> Problem:
    code = 'broken-annotation' if os.path.exists(path) else 'no-list'
    if isinstance(error, EmptyListError):
        code = 'empty-list'
    return Problem(code, str(error).removeprefix(f'{path}: '), path)


def _coco_images(source: Source) -> Records:
    prefix = (source.settings.get('data_prefix') or {}).get('img') or ''
    folder = os.path.join(source.root, prefix)
    # Another check says that a folder is missing.
    find_image = images_in(folder, source.root) if os.path.isdir(folder) else None
    coco, problems = read_coco_file(
        source.ann_file, find_image, needs_truth=not source.test_mode
    )
    return list(coco.images), problems


def _voc_folder(source: Source) -> VOCFolder:
    root = source.root
    if source.kind == 'stock-voc':
        prefix = source.settings.get('data_prefix') or {}
        root = os.path.join(root, prefix.get('sub_data_root') or '')
    folders = (source.settings[key] for key in ('img_subdir', 'ann_subdir'))
    images, annotations = (os.path.join(root, folder) for folder in folders)
    return VOCFolder(images, annotations, bool(source.settings.get('one_based')))


def _voc_images(
    source: Source, folder: VOCFolder, files: Mapping[str, VOCFile]
) -> Records:
    images, problems = folder.read_list(source.ann_file, files.__getitem__)
    class_map = source.settings.get('class_map') or {}
    try:
        require_class_map(class_map, source.classes)
    except ConfigError as error:
        problems.append(Problem('class-map', str(error), source.ann_file))
    if class_map and isinstance(class_map, Mapping):
        ignored = as_names(source.settings.get('ignore_classes') or ())
        images = fold_classes(images, class_map, {*source.classes, *ignored})
    if source.kind == 'stock-voc':
        for image in images:
            if image.image and not image.image.endswith('.jpg'):
                text = f'{source.type} opens only .jpg, whatever the files are'
                problems.append(Problem('not-jpg', text, image.image))
            expected = f'{folder.annotations.root}{image.name}.xml'
            if image.annotation and image.annotation != expected:
                text = f'{source.type} looks only for {expected}'
                problems.append(Problem('no-annotation', text, image.annotation))
    return images, problems


def _stock_classes(
    source: Source,
) -> tuple[list[ImageRecord], list[Problem], tuple[str, ...]]:
    """Read images with the class that mmpretrain's own data set gives them."""
    prefix = source.settings.get('data_prefix') or ''
    inner = prefix.get('img_path') or '' if isinstance(prefix, dict) else prefix
    root = os.path.join(source.root, inner)
    if source.settings.get('ann_file'):
        return *_numbered_list(source, root), source.classes
    folders = (
        sorted(e.name for e in os.scandir(root) if is_folder(e))
        if os.path.isdir(root)
        else []
    )
    classes = source.classes or tuple(folders)
    problems = []
    if folders and tuple(folders) != classes:
        text = (
            f'the sorted folders are {", ".join(folders)}, but the classes '
            f'{", ".join(classes)}: labels get the wrong names'
        )
        problems.append(Problem('folder-order', text, root))
    images = [
        ImageRecord(name=os.path.relpath(path, root), image=path, label=folder)
        for folder in folders
        for path in _images(os.path.join(root, folder))
    ]
    return images, problems, classes


def _numbered_list(source: Source, root: str) -> Records:
    images, problems = [], []
    for number, line in read_lines(source.ann_file):
        path, _, index = line.rpartition(' ')
        if not path or not index.isdigit() or int(index) >= len(source.classes):
            text = f'line {number}: no path and number of one of the classes'
            problems.append(Problem('broken-annotation', text, source.ann_file))
            continue
        image: str | None = os.path.join(root, path)
        if not os.path.isfile(str(image)):
            text = f'line {number}: {image}: no such image'
            problems.append(Problem('missing-image', text, source.ann_file))
            image = None
        images.append(ImageRecord(path, image, label=source.classes[int(index)]))
    return images, problems


def _images(folder: str) -> list[str]:
    return [
        os.path.join(here, file)
        for here, _, files in sorted(os.walk(folder, followlinks=True))
        for file in sorted(files)
        if os.path.splitext(file)[1].lower() in IMAGE_SUFFIXES
    ]
