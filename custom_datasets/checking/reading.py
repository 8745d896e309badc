"""Reading the data sets of a config into records, and saying what can't be."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping

from custom_datasets.checking.coco import read_coco
from custom_datasets.checking.finding import Finding
from custom_datasets.checking.sources import COCO_KINDS, Source
from custom_datasets.checking.stock_classes import read_stock_classes
from custom_datasets.checking.xml_files import ReadXML, XMLFile, read_xml_files
from custom_datasets.class_names import (
    as_names,
    fold_class,
    read_lines,
    require_class_map,
)
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.images import ImageIndex, without_suffix
from custom_datasets.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.voc_xml import VOCAnnotation


def read_sources(
    sources: Iterable[Source], read_files: ReadXML = read_xml_files
) -> tuple[list[SplitRecords], list[Finding]]:
    """Read data sets.

    Args:
        sources: From :func:`~custom_datasets.checking.sources.find_sources`.
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
            images = read_coco(source, findings)
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
