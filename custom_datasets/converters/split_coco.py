"""Reading a COCO JSON for a split, and taking images out of it.

The format is that of https://cocodataset.org/#format-data, object detection.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

from custom_datasets.class_names import read_lines
from custom_datasets.converters.split_sources import (
    Listed,
    SplitSource,
    choose_listed,
)
from custom_datasets.errors import AnnotationError, UserError

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
    found = [p for p in found if _load(p)['annotations']] or found
    if all(os.path.basename(p) in _WRITTEN for p in found):
        found = [p for p in found if os.path.dirname(p) == root] or found
    if len(found) > 1:
        raise UserError(f'{root}: several COCO JSONs, name one: {", ".join(found)}')
    return found[0] if found else None


def read_coco(
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
    data = _load(path, needs_truth)
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
        held = read_coco(other, folder, needs_truth=False)
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
        _load(path)
    except UserError:
        return False
    return True


def _load(path: str, needs_truth: bool = True) -> dict[str, Any]:
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
