"""COCO JSON: ``images``, ``annotations`` and ``categories`` in one file a part.

Format: https://cocodataset.org/#format-data; ``bbox`` is ``[x, y, width,
height]`` in pixels, zero-based.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from custom_datasets.data.config_sources import Source as ConfigSource
from custom_datasets.data.images import image_size
from custom_datasets.data.lists import Listed, SplitSource, choose_listed
from custom_datasets.data.names import read_lines
from custom_datasets.data.numbers import add, as_number, subtract
from custom_datasets.data.problems import Finding
from custom_datasets.data.reading import Reading, Source, group_by_split
from custom_datasets.data.records import Box, BoxRecord, ImageRecord
from custom_datasets.data.tree import Tree, place_of, split_in, split_of
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.files import write_text

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
    """Read a folder; see :class:`~custom_datasets.data.reading.Source`.

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


Report = Callable[[str, str, int | None], None]
"""Is told the kind of a problem, what it is, and which annotation has it."""

_NO_LIST = 'set data_root, or run tools/dataset_converters/split.py'


def read_listed(source: ConfigSource, findings: list[Finding]) -> list[ImageRecord]:
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
    data = _load_listed(path, test_mode, report)
    if data is None:
        return []
    names = _category_names(data['categories'], report)
    boxes: dict[Any, list[BoxRecord]] = {}
    for index, item in enumerate(data['annotations']):
        box = _listed_box(item.get('bbox'))
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
            size=_listed_size(item),
        )
    for number, lost in boxes.items():
        for box_record in lost:
            report('no-image', f'no image has the id {number}', box_record.index)
    return list(images.values())


def _load_listed(
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


def _listed_box(value: Any) -> tuple[float, float, float, float] | None:
    try:
        x, y, width, height = (float(side) for side in value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(x + y + width + height):
        return None
    return x, y, x + width, y + height


def _listed_size(item: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = item.get('width'), item.get('height')
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        return width, height
    return None


FOLDER = 'annotations'

_WRITTEN = ('train.json', 'val.json', 'test.json')
_ID = (int, float, str)
_FIELDS: dict[str, dict[str, Any]] = {
    'images': {'id': _ID, 'file_name': str},
    'annotations': {'image_id': _ID, 'category_id': _ID, 'bbox': list},
    'categories': {'id': _ID, 'name': str},
}


def find_coco_json(root: str) -> str | None:
    """Return the one COCO JSON in a folder or in its ``annotations``.

    Where there are others, ``train.json`` and such are taken for what a split
    has written of one beside the folder, and one without annotations for a
    competition's test set.

    Raises:
        UserError: There are several.
    """
    found = []
    for folder in (root, os.path.join(root, FOLDER)):
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            if name.lower().endswith('.json') and _is_coco(path):
                found.append(path)
    found = [p for p in found if os.path.basename(p) not in _WRITTEN] or found
    found = [p for p in found if _load_whole(p)['annotations']] or found
    if all(os.path.basename(p) in _WRITTEN for p in found):
        found = [p for p in found if os.path.dirname(p) == root] or found
    if len(found) > 1:
        raise UserError(f'{root}: several COCO JSONs, name one: {", ".join(found)}')
    return found[0] if found else None


def read_whole(
    path: str, images: str | None = None, needs_truth: bool = True
) -> SplitSource:
    """Read a COCO JSON; an image's name is its ``file_name``.

    Args:
        path: The JSON.
        images: Folder of the images; by default ``images`` beside the JSON or
            beside its folder, or one of these two folders itself.
        needs_truth: Whether it must have annotations and categories.

    Raises:
        UserError: The JSON can't be read or is not COCO's.
        AnnotationError: With every malformed entry; or with every missing
            image, image listed twice, and annotation of an unknown image or
            category.
    """
    data = _load_whole(path, needs_truth)
    _require_fields(path, data)
    notes: Counter[str] = Counter()
    labels, problems = _count(data, notes)
    folder = images or _image_folder(path, labels)
    if folder is None:
        notes['images not found, so not compared; --images names their folder'] = len(
            labels
        )
    else:
        lost = [n for n in labels if not os.path.isfile(os.path.join(folder, n))]
        problems += [f'{os.path.join(folder, name)}: no such image' for name in lost]
    if problems:
        raise AnnotationError(path, problems)
    files = {name: folder and os.path.join(folder, name) for name in labels}

    def read(other: str) -> Listed:
        if not other.lower().endswith('.json'):
            names = (line for _, line in read_lines(other))
            return choose_listed(other, names, labels, files)
        held = read_whole(other, folder, needs_truth=False)
        for name in held.labels.keys() & labels.keys():
            twin = os.path.join(os.path.splitext(other)[0], name)
            ours = os.path.realpath(files[name] or twin)
            if os.path.isfile(twin) and os.path.realpath(twin) != ours:
                raise UserError(
                    f'{other}: {name} is in {path} too, and {twin} may be another '
                    'image; put the folder into file_name, in both'
                )
        return held.labels, held.images

    root = os.path.dirname(path)
    if os.path.basename(os.path.abspath(root)) == FOLDER:
        root = (
            os.path.dirname(root) if os.path.dirname(root) else os.path.join(root, '..')
        )
    return SplitSource(
        root=root,
        folder=FOLDER,
        suffix='.json',
        labels=labels,
        images=files,
        render=lambda names: _dump(_subset(data, set(names))),
        read=read,
        linked={'images': folder} if folder else {},
        file=path,
        notes=notes,
    )


def _count(
    data: dict[str, Any], notes: Counter[str]
) -> tuple[dict[str, Counter[str]], list[str]]:
    problems: list[str] = []
    names: dict[Any, str] = {}
    labels: dict[str, Counter[str]] = {}
    for image in data['images']:
        name = image['file_name']
        if name in labels or image['id'] in names:
            problems.append(f'{name}: its name or its id {image["id"]} stands twice')
        names[image['id']] = name
        labels[name] = Counter()
    categories = {category['id']: category['name'] for category in data['categories']}
    for number, item in enumerate(data['annotations']):
        for key, known in (('image_id', names), ('category_id', categories)):
            if item[key] not in known:
                problems.append(f'annotation {number}: {key} {item[key]} is unknown')
                break
        else:
            try:
                has_area = min(map(float, item['bbox'][2:4])) > 0
            except (TypeError, ValueError):
                text = f'annotation {number}: "bbox" is not x, y, width and height'
                problems.append(text)
                continue
            if has_area:
                labels[names[item['image_id']]][categories[item['category_id']]] += 1
            else:
                notes['boxes without area not counted'] += 1
    return labels, problems


def _is_coco(path: str) -> bool:
    try:
        _load_whole(path)
    except UserError:
        return False
    return True


def _load_whole(path: str, needs_truth: bool = True) -> dict[str, Any]:
    try:
        with open(path, encoding='utf-8-sig') as file:
            data = json.load(file)
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}') from error
    except ValueError as error:
        raise UserError(f'{path}: broken JSON ({error})') from error
    if isinstance(data, dict) and not needs_truth:
        data = {'annotations': [], 'categories': [], **data}
    if not isinstance(data, dict) or not all(
        isinstance(data.get(key), list) for key in _FIELDS
    ):
        raise UserError(f'{path}: not COCO, which has the lists {", ".join(_FIELDS)}')
    return data


def _require_fields(path: str, data: dict[str, Any]) -> None:
    problems = [
        f'{key}, entry {number}: needs {" and ".join(fields)}'
        for key, fields in _FIELDS.items()
        for number, entry in enumerate(data[key])
        if not isinstance(entry, dict)
        or not all(isinstance(entry.get(f), kind) for f, kind in fields.items())
    ]
    if problems:
        raise AnnotationError(path, problems)


def _image_folder(path: str, names: Iterable[str]) -> str | None:
    """Return the folder that holds most of the images; None if none holds any."""
    beside = os.path.dirname(path)
    parents = (beside, os.path.normpath(os.path.join(beside, '..')))
    folders = [os.path.join(p, inner) for p in parents for inner in ('images', '')]
    counts = {
        folder: sum(os.path.isfile(os.path.join(folder, name)) for name in names)
        for folder in folders
    }
    best = max(folders, key=lambda folder: counts[folder])
    return best if counts[best] else None


def _subset(data: dict[str, Any], names: set[str]) -> dict[str, Any]:
    images = [image for image in data['images'] if image['file_name'] in names]
    ids = {image['id'] for image in images}
    kept = [item for item in data['annotations'] if item['image_id'] in ids]
    return {**data, 'images': images, 'annotations': kept}


def _dump(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False) + '\n'
