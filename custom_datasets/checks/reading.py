"""Reading the data sets of a config into records, and saying what can't be."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from custom_datasets.checks.codes import IN_COCO, STOCK_COCO, find
from custom_datasets.data.cache import ResultCache
from custom_datasets.data.coco import read_coco_file
from custom_datasets.data.config_sources import COCO_KINDS, Source
from custom_datasets.data.images import (
    IMAGE_SUFFIXES,
    ImageIndex,
    images_in,
    without_suffix,
)
from custom_datasets.data.names import (
    as_names,
    fold_class,
    read_lines,
    require_class_map,
)
from custom_datasets.data.problems import Finding, Problem
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.data.scan import Answer, Reader, packed, scan_files
from custom_datasets.data.voc import VOCAnnotation, inspect_voc_xml
from custom_datasets.errors import ConfigError, UserError


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


class XMLFile(NamedTuple):
    """What one VOC XML file holds.

    Attributes:
        annotation: None where the file can't be read.
        stray: Text where none belongs.
        problem: Why it can't be read; None where it can.
    """

    annotation: VOCAnnotation | None
    stray: tuple[str, ...] = ()
    problem: str | None = None


ReadXML = Callable[[Iterable[str]], Mapping[str, XMLFile]]


def read_xml(path: str) -> XMLFile:
    """Read one file."""
    try:
        annotation, stray = inspect_voc_xml(path)
    except UserError as error:
        return XMLFile(None, problem=str(error))
    return XMLFile(annotation, stray)


def read_xml_files(
    paths: Iterable[str], cache: ResultCache | None = None
) -> dict[str, XMLFile]:
    """Read many files, and only what the cache does not know."""
    found = scan_files(XML_FILES, paths, cache=cache)
    return {
        path: XMLFile(None, problem=str(xml)) if isinstance(xml, UserError) else xml
        for path, xml in found.items()
    }


def answer_xml(path: str) -> Answer:
    """Read one file, to be packed."""
    return packed(path, read_xml, tuple)


def _unpack(values: Any) -> XMLFile:
    annotation, stray, problem = values
    if annotation is None:
        return XMLFile(None, problem=problem)
    filename, size, objects = annotation
    boxes = tuple((name, tuple(box), bool(hard)) for name, box, hard in objects)
    parsed = VOCAnnotation(filename, size and tuple(size), boxes)
    return XMLFile(parsed, tuple(stray), problem)


XML_FILES = Reader('voc-xml', '1', answer_xml, _unpack, worth_processes=2000)


def read_sources(
    sources: Iterable[Source], read_files: ReadXML = read_xml_files
) -> tuple[list[SplitRecords], list[Finding]]:
    """Read data sets.

    Args:
        sources: From :func:`~custom_datasets.data.config_sources.find_sources`.
        read_files: Reads many XML files; all data sets' are read in one call.

    Returns:
        Records of what can be read, one for each data set, and a finding for
        each thing that can't.
    """
    sources = list(sources)
    findings: list[Finding] = []
    lists = {
        index: _names(source, findings)
        for index, source in enumerate(sources)
        if source.kind in ('voc', 'stock-voc')
    }
    paths = dict.fromkeys(
        _xml_path(sources[index], name)
        for index, names in lists.items()
        for name in names
    )
    files = read_files(path for path in paths if os.path.exists(path))
    splits = []
    for index, source in enumerate(sources):
        classes = source.classes
        if index in lists:
            images = _voc_images(source, lists[index], files, findings)
        elif source.kind in COCO_KINDS:
            images = _coco_images(source, findings)
        elif source.kind == 'stock-classes':
            images, classes = read_stock_classes(source, findings)
        else:
            images = _listed_images(source, findings)
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


def _coco_images(source: Source, findings: list[Finding]) -> list[ImageRecord]:
    path = source.ann_file
    prefix = (source.settings.get('data_prefix') or {}).get('img') or ''
    find_image = images_in(os.path.join(source.root, prefix))
    try:
        coco, problems = read_coco_file(
            path, find_image, needs_truth=not source.test_mode
        )
    except UserError as error:
        code = 'broken-annotation' if os.path.exists(path) else 'no-list'
        text = str(error).removeprefix(f'{path}: ')
        findings.append(find(code, text, split=source.split, file=path))
        return []
    if not coco.images and not problems:
        problems = [Problem('empty-list', 'it lists no image', path)]
    cases = {'no-image': IN_COCO, 'loose-coco': STOCK_COCO}
    if source.kind != 'coco':
        del cases['loose-coco']
    findings += [
        find(
            problem.code,
            problem.message,
            case=cases.get(problem.code, ''),
            split=source.split,
            file=path,
            object=problem.object,
        )
        for problem in problems
    ]
    return list(coco.images)


def _lines(source: Source, findings: list[Finding]) -> list[tuple[int, str]]:
    try:
        return read_lines(source.ann_file)
    except UserError as error:
        findings.append(
            Finding(
                code='empty-list' if os.path.exists(source.ann_file) else 'no-list',
                severity='error',
                message=str(error).removeprefix(f'{source.ann_file}: '),
                hint='set data_root, or run the converter that writes the split',
                split=source.split,
                file=source.ann_file,
            )
        )
        return []


def _names(source: Source, findings: list[Finding]) -> dict[str, str]:
    """Return each listed line by the image name in it."""
    lines = [line for _, line in _lines(source, findings)]
    names = [without_suffix(line) for line in lines]
    findings += [
        _listed_twice(source, f'{name} is listed {count} times')
        for name, count in Counter(names).items()
        if count > 1
    ]
    return dict(zip(names, lines, strict=True))


def _listed_twice(source: Source, message: str) -> Finding:
    return Finding(
        code='listed-twice',
        severity='error',
        message=message,
        hint='remove the line from the list',
        split=source.split,
        file=source.ann_file,
    )


def _xml_path(source: Source, name: str) -> str:
    return os.path.join(_root(source), source.settings['ann_subdir'], f'{name}.xml')


def _root(source: Source) -> str:
    if source.kind == 'stock-voc':
        prefix = source.settings.get('data_prefix') or {}
        return os.path.join(source.root, prefix.get('sub_data_root') or '')
    return source.root


def _voc_images(
    source: Source,
    names: Mapping[str, str],
    files: Mapping[str, XMLFile],
    findings: list[Finding],
) -> list[ImageRecord]:
    index = ImageIndex(os.path.join(_root(source), source.settings['img_subdir']))
    class_map = _class_map(source, findings)
    kept = {*source.classes, *as_names(source.settings.get('ignore_classes') or ())}
    images = []
    for name, line in names.items():
        path = _xml_path(source, name)
        xml = files.get(path)
        annotation = (xml and xml.annotation) or VOCAnnotation(None, None, ())
        findings += _xml_findings(source, path, xml)
        image = None
        try:
            image = index.find(name, line, annotation.filename)
        except UserError as error:
            findings.append(_missing_image(source, path if xml else None, str(error)))
        if image and source.kind == 'stock-voc' and not image.endswith('.jpg'):
            findings.append(_not_jpg(source, image))
        boxes = (
            BoxRecord(i, fold_class(raw, class_map, kept), box, difficult)
            for i, (raw, box, difficult) in enumerate(annotation.objects)
        )
        images.append(
            ImageRecord(
                name=name,
                image=image,
                annotation=path if xml else None,
                boxes=tuple(boxes),
                size=annotation.size,
                filename=annotation.filename,
            )
        )
    return images


def _class_map(source: Source, findings: list[Finding]) -> Mapping[str, str]:
    class_map = source.settings.get('class_map') or {}
    try:
        require_class_map(class_map, source.classes)
    except ConfigError as error:
        findings.append(
            Finding(
                code='class-map',
                severity='error',
                message=str(error),
                hint='a class_map gives a class for a name in the files',
                split=source.split,
                file=source.ann_file,
            )
        )
    return class_map if isinstance(class_map, Mapping) else {}


def _xml_findings(source: Source, path: str, xml: XMLFile | None) -> list[Finding]:
    split = source.split
    if xml is None:
        return [
            Finding(
                code='no-annotation',
                severity='warning' if source.test_mode else 'error',
                message='listed, but has no XML file',
                hint='annotate the image, or take it from the list',
                split=split,
                file=path,
            )
        ]
    if xml.problem:
        return [
            Finding(
                code='broken-annotation',
                severity='error',
                message=xml.problem,
                hint='mend the file or export it again',
                split=split,
                file=path,
            )
        ]
    return [
        Finding(
            code='stray-text',
            severity='note',
            message=f'text between the elements: {text[:60]!r}',
            hint='readers pass over it; a slip of the hand may have lost more',
            split=split,
            file=path,
        )
        for text in xml.stray
    ]


def _missing_image(source: Source, xml: str | None, message: str) -> Finding:
    return Finding(
        code='missing-image',
        severity='error',
        message=message,
        hint='add the image, or take its name from the list',
        split=source.split,
        file=xml or source.ann_file,
    )


def _not_jpg(source: Source, image: str) -> Finding:
    return Finding(
        code='not-jpg',
        severity='error',
        message=f'{source.type} opens only .jpg, whatever the files are',
        hint='use VOCFolderDataset, which finds the suffix',
        split=source.split,
        file=image,
    )


def _listed_images(source: Source, findings: list[Finding]) -> list[ImageRecord]:
    """Read a list of ``path<TAB>class``."""
    images: dict[str, ImageRecord] = {}
    for number, line in _lines(source, findings):
        path, _, label = (part.strip() for part in line.rpartition('\t'))
        if not path:
            findings.append(
                Finding(
                    code='broken-annotation',
                    severity='error',
                    message=f'line {number}: no tab and class behind the path',
                    split=source.split,
                    file=source.ann_file,
                )
            )
            continue
        if path in images:
            findings.append(_listed_twice(source, f'{path}, again in line {number}'))
        image = os.path.join(source.root, path)
        if not os.path.isfile(image):
            findings.append(
                _missing_image(source, None, f'line {number}: {image}: no such image')
            )
        images[path] = ImageRecord(
            name=path,
            image=image if os.path.isfile(image) else None,
            annotation=source.ann_file,
            label=label,
        )
    return list(images.values())
