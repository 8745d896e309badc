"""COCO JSON: ``images``, ``annotations`` and ``categories`` in one file a part.

Format: https://cocodataset.org/#format-data; ``bbox`` is ``[x, y, width,
height]`` in pixels, zero-based.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.converters.files import write_text
from custom_datasets.errors import UserError
from custom_datasets.formats.decimals import add, as_number, subtract
from custom_datasets.formats.paths import place_of, split_in, split_of
from custom_datasets.formats.source import Reading, Source, group_by_split
from custom_datasets.formats.tree import Tree
from custom_datasets.images import image_size
from custom_datasets.records import BoxRecord, ImageRecord
from custom_datasets.voc_xml import Box

IMAGES = 'images'

_COUNTS_FROM = 'voc_counts_from'


def find_coco(tree: Tree) -> list[str]:
    """List the JSON files with images and categories."""
    found = []
    for file in tree.ending('.json'):
        try:
            data = tree.load_json(file)
        except UserError:
            continue
        if isinstance(data, dict) and all(
            isinstance(data.get(key), list) for key in ('images', 'categories')
        ):
            found.append(file)
    return found


def read_coco(tree: Tree, reading: Reading, counts_from: int | None = None) -> Source:
    """Read a folder; see :class:`~custom_datasets.formats.source.Source`.

    ``iscrowd`` is difficult. Only boxes are kept: a polygon without a ``bbox``
    becomes the box around it. Entries of one file are one image.
    """
    files = _parts(tree)
    if not files:
        raise UserError(f'{tree.name}: no JSON file with images and categories')
    data = {file: tree.load_json(file) for file in files}
    categories = {file: _categories(data[file]) for file in files}
    groups = _groups(data, categories)
    reading.note(sorted(groups), 'categories only group others and are left out')
    chosen = []
    seen: dict[tuple[str | None, str | None], str] = {}
    for file, split in files.items():
        for record in _records(tree, file, split, categories[file], reading):
            first = seen.setdefault((split, record.image), file)
            if first != file:
                reading.problems.append(f'{file}: {record.name} is in {first} as well')
            chosen.append((split, record))
    named = {image for _, image in seen}
    rest = [image for image in tree.images if tree.path(image) not in named]
    reading.note(rest, 'images that no JSON file names left out')
    names = [name for found in categories.values() for name in found.values()]
    infos = [data[file].get('info') for file in files]
    from_zero = any(isinstance(i, dict) and i.get(_COUNTS_FROM) == 0 for i in infos)
    return Source(
        format='coco',
        root=tree.root,
        classes=tuple(name for name in dict.fromkeys(names) if name not in groups),
        splits=group_by_split(chosen),
        counts_from=0 if from_zero else None,
    )


def write_coco(source: Source, names: Mapping[str, Sequence[str]], folder: str) -> None:
    """Write ``annotations/<part>.json`` beside the images.

    Args:
        source: What to write. That a VOC source counts pixels from 0 is noted
            in ``info``, so that the way back gives its numbers again.
        names: For each part the images' paths under ``images``.
        folder: Where ``images`` is.
    """
    ids = {name: index for index, name in enumerate(source.classes, 1)}
    categories = [{'id': number, 'name': name} for name, number in ids.items()]
    info = {} if source.counts_from != 0 else {_COUNTS_FROM: 0}
    for split, records in source.splits.items():
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, record in enumerate(records, 1):
            width, height = record.size or image_size(str(record.image))
            images.append(
                {
                    'id': number,
                    'file_name': names[split][number - 1],
                    'width': width,
                    'height': height,
                }
            )
            for box in record.boxes:
                x1, y1, x2, y2 = box.box
                wide, tall = subtract(x2, x1), subtract(y2, y1)
                annotations.append(
                    {
                        'id': len(annotations) + 1,
                        'image_id': number,
                        'category_id': ids[box.name],
                        'bbox': [as_number(side) for side in (x1, y1, wide, tall)],
                        'area': as_number(wide * tall),
                        'iscrowd': int(box.difficult),
                    }
                )
        data = {
            'info': info,
            'images': images,
            'annotations': annotations,
            'categories': categories,
        }
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
        write_text(f'{folder}/annotations/{split}.json', f'{text}\n')


def _parts(tree: Tree) -> dict[str, str | None]:
    """Return the part that each file is: by its name, its folder, or its own."""
    files = [file for file in find_coco(tree) if _has_boxes(tree.load_json(file))]
    parts: dict[str, str | None] = {}
    for file in files:
        *folders, name = file.split('/')
        stem = os.path.splitext(name)[0]
        folder = next(filter(None, map(split_of, reversed(folders))), None)
        parts[file] = split_in(stem) or folder or (stem if len(files) > 1 else None)
    return parts


def _has_boxes(data: Mapping[str, Any]) -> bool:
    """Say whether a file may be about boxes: captions are not."""
    items = _items(data, 'annotations')
    return not items or any('bbox' in i or 'segmentation' in i for i in items)


def _items(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = data.get(key)
    return [i for i in items if isinstance(i, dict)] if isinstance(items, list) else []


def _categories(data: Mapping[str, Any]) -> dict[str, str]:
    """Return names by number, in the numbers' order."""
    named = {
        str(item.get('id')): str(item.get('name', '')).strip()
        for item in _items(data, 'categories')
    }
    return dict(sorted(named.items(), key=lambda pair: (len(pair[0]), pair[0])))


def _groups(
    data: Mapping[str, Mapping[str, Any]], categories: Mapping[str, Mapping[str, str]]
) -> set[str]:
    """Return the categories that are others' ``supercategory`` and have no box.

    Roboflow's exports begin with one such.
    """
    above, used = set(), set()
    for file, content in data.items():
        for item in _items(content, 'categories'):
            if item.get('supercategory') not in (None, '', item.get('name')):
                above.add(str(item['supercategory']).strip())
        for item in _items(content, 'annotations'):
            used.add(categories[file].get(str(item.get('category_id'))))
    names = {name for named in categories.values() for name in named.values()}
    return (names & above) - used


def _records(
    tree: Tree,
    file: str,
    split: str | None,
    categories: Mapping[str, str],
    reading: Reading,
) -> list[ImageRecord]:
    """Read one file; an image is left out if one of its objects can't be read."""
    data = tree.load_json(file)
    numbers = {str(item.get('id')) for item in _items(data, 'images')}
    boxes: dict[str, list[BoxRecord]] = {}
    broken, polygons = set(), 0
    for index, item in enumerate(_items(data, 'annotations')):
        number = str(item.get('image_id'))
        try:
            if number not in numbers:
                raise UserError(f'no image has the id {number}')
            name = categories.get(str(item.get('category_id')))
            if not name:
                raise UserError(f'no category has the id {item.get("category_id")}')
            polygons += 'bbox' not in item
            record = BoxRecord(index, name, _box(item), bool(item.get('iscrowd')))
        except UserError as error:
            reading.problems.append(f'{file}, object {index}: {error}')
            broken.add(number)
            continue
        boxes.setdefault(number, []).append(record)
    if polygons:
        reading.notes.append(f'{file}: {polygons} boxes are those around polygons')
    near = file.rpartition('/')[0]
    records: dict[str, ImageRecord] = {}
    twice = []
    for item in _items(data, 'images'):
        number, claim = str(item.get('id')), str(item.get('file_name', ''))
        try:
            image = tree.find_image(claim, near, split)
        except UserError as error:
            reading.problems.append(f'{file}: {error}')
            continue
        if number in broken:
            continue
        found = boxes.get(number, [])
        if image in records:
            twice.append(image)
            found = [*records[image].boxes, *found]
        records[image] = ImageRecord(
            name=place_of(image)[1],
            image=tree.path(image),
            annotation=tree.path(file),
            boxes=tuple(found),
            size=_size(item),
            filename=claim,
        )
    reading.note(twice, f'images have several entries in {file}, which were joined')
    return list(records.values())


def _box(item: Mapping[str, Any]) -> Box:
    if 'bbox' in item:
        x, y, width, height = _numbers(item['bbox'], 4, '"bbox" of four finite numbers')
        return x, y, add(x, width), add(y, height)
    what = '"bbox", and no polygon either'
    polygons = item.get('segmentation')
    if not isinstance(polygons, list) or not polygons:
        raise UserError(f'no {what}')
    sides = [side for polygon in polygons for side in _numbers(polygon, None, what)]
    xs, ys = sides[::2], sides[1::2]
    if not ys:
        raise UserError(f'no {what}')
    return min(xs), min(ys), max(xs), max(ys)


def _numbers(value: Any, count: int | None, what: str) -> list[float]:
    try:
        numbers = [float(side) for side in value]
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f'no {what}') from error
    if not all(map(math.isfinite, numbers)) or len(numbers) != (count or len(numbers)):
        raise UserError(f'no {what}')
    return numbers


def _size(item: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = item.get('width'), item.get('height')
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        return width, height
    return None
