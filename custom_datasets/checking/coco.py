"""Reading a COCO JSON of a config into records.

Format: https://cocodataset.org/#format-data; ``bbox`` is ``[x, y, width,
height]`` in pixels, zero-based.
"""

import json
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

from custom_datasets.checking.finding import Finding
from custom_datasets.checking.sources import Source
from custom_datasets.records import BoxRecord, ImageRecord

Report = Callable[[str, str, int | None], None]
"""Is told the kind of a problem, what it is, and which annotation has it."""

_NO_LIST = 'set data_root, or run tools/dataset_converters/split.py'


def read_coco(source: Source, findings: list[Finding]) -> list[ImageRecord]:
    """Read the images of ``ann_file``; what can't be read becomes a finding."""

    def report(code: str, message: str, index: int | None = None) -> None:
        findings.append(
            Finding(
                code=code,
                severity='error',
                message=message,
                split=source.split,
                file=source.ann_file,
                object=index,
                hint=_NO_LIST if code == 'no-list' else '',
            )
        )

    prefix = (source.settings.get('data_prefix') or {}).get('img') or ''
    folder = os.path.join(source.root, prefix)
    return read_coco_images(source.ann_file, folder, source.test_mode, report)


def read_coco_images(
    path: str, folder: str, test_mode: bool, report: Report
) -> list[ImageRecord]:
    """Read a COCO JSON.

    Args:
        path: The JSON. In test mode it may lack annotations and categories, as
            those of competitions do.
        folder: What ``file_name`` is relative to.
        test_mode: Whether the images are only tested on.
        report: Called with what is wrong.

    Returns:
        The images in the file's order, each with its boxes; those of an id that
        several have are the first one's.
    """
    data = _load(path, test_mode, report)
    if data is None:
        return []
    names = _category_names(data['categories'], report)
    boxes: dict[Any, list[BoxRecord]] = {}
    for index, item in enumerate(data['annotations']):
        box = _box(item.get('bbox'))
        if box is None:
            report('broken-annotation', 'no "bbox" of four finite numbers', index)
        elif not _is_id(item.get('image_id')):
            report('broken-annotation', f'its image_id is {item["image_id"]!r}', index)
        elif not _is_id(item.get('category_id')) or item['category_id'] not in names:
            number = item.get('category_id')
            report('broken-annotation', f'no category has the id {number}', index)
        else:
            record = BoxRecord(
                index, names[item['category_id']], box, bool(item.get('iscrowd'))
            )
            boxes.setdefault(item.get('image_id'), []).append(record)
    images: dict[str, ImageRecord] = {}
    owners: dict[Any, str] = {}
    for item in data['images']:
        name, number = str(item.get('file_name')), item.get('id')
        if not _is_id(number):
            report('broken-annotation', f'{name}: its id is {number!r}', None)
            number = None
        found = () if number is None else tuple(boxes.pop(number, ()))
        if name in images:
            report('listed-twice', f'{name} is listed again', None)
            continue
        if number in owners:
            text = f'{name}: the id {number} is that of {owners[number]} too'
            report('listed-twice', text, None)
        if number is not None:
            owners[number] = name
        image = os.path.join(folder, name)
        if not os.path.isfile(image):
            report('missing-image', f'{image}: no such image', None)
        images[name] = ImageRecord(
            name=name,
            image=image if os.path.isfile(image) else None,
            annotation=path,
            boxes=found,
            size=_size(item),
        )
    for number, lost in boxes.items():
        for box_record in lost:
            report('no-image', f'no image has the id {number}', box_record.index)
    return list(images.values())


def _load(
    path: str, test_mode: bool, report: Report
) -> Mapping[str, list[dict[str, Any]]] | None:
    try:
        with open(path, encoding='utf-8-sig') as file:
            data = json.load(file)
    except OSError as error:
        report('no-list', f'{error.strerror}', None)
        return None
    except ValueError as error:
        report('broken-annotation', f'broken JSON ({error})', None)
        return None
    keys = ('images', 'annotations', 'categories')
    if isinstance(data, dict):
        if test_mode:
            data = {'annotations': [], 'categories': [], **data}
        if all(isinstance(data.get(key), list) for key in keys):
            return {key: [i for i in data[key] if isinstance(i, dict)] for key in keys}
    report('broken-annotation', f'not COCO: it lacks a list of {", ".join(keys)}', None)
    return None


def _category_names(categories: list[dict[str, Any]], report: Report) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for item in categories:
        name, number = str(item.get('name')), item.get('id')
        if not _is_id(number):
            text = f'category {name}: its id is {number!r}'
            report('broken-annotation', text, None)
        elif names.setdefault(number, name) != name:
            text = f'category {name}: the id {number} is that of {names[number]} too'
            report('broken-annotation', text, None)
    return names


def _is_id(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _box(value: Any) -> tuple[float, float, float, float] | None:
    try:
        x, y, width, height = (float(side) for side in value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(x + y + width + height):
        return None
    return x, y, x + width, y + height


def _size(item: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = item.get('width'), item.get('height')
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        return width, height
    return None
