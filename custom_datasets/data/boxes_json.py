"""The metal-surface JSON: boxes keyed by file name.

``{"<file>": {"filename", "width", "height", "anno": [{"label", "bbox": [xmin,
ymin, xmax, ymax]}]}}``; coordinates count pixels from 1 where none is 0.
"""

import math
from typing import Any

from custom_datasets.data.numbers import to_zero_based
from custom_datasets.data.reading import (
    Reading,
    Source,
    first_pixel,
    group_by_split,
    order_classes,
)
from custom_datasets.data.records import Box, BoxRecord, ImageRecord
from custom_datasets.data.tree import Tree, place_of, split_in
from custom_datasets.errors import UserError

Objects = list[tuple[str, Box]]


def find_metal_surface(tree: Tree) -> list[str]:
    """List the JSON files of this kind."""
    found = []
    for file in tree.ending('.json'):
        try:
            data = tree.load_json(file)
        except UserError:
            continue
        entries = data.values() if isinstance(data, dict) else ()
        if entries and all(isinstance(e, dict) and 'anno' in e for e in entries):
            found.append(file)
    return found


def read_metal_surface(
    tree: Tree, reading: Reading, counts_from: int | None = None
) -> Source:
    """Read a folder; see :class:`~custom_datasets.data.reading.Source`."""
    parsed: dict[str, tuple[str, str, dict[str, Any], Objects]] = {}
    for file in find_metal_surface(tree):
        for key, entry in tree.load_json(file).items():
            try:
                image = tree.find_image(key, file.rpartition('/')[0], split_in(file))
                objects = _objects(entry)
            except UserError as error:
                reading.problems.append(f'{file}, {key}: {error}')
                continue
            if image in parsed:
                first = parsed[image][1]
                reading.problems.append(f'{file}, {key}: the same image as {first}')
                continue
            parsed[image] = file, key, entry, objects
    rest = [image for image in tree.images if image not in parsed]
    reading.note(rest, 'images that the JSON lacks left out')
    boxes = [(key, box) for _, key, _, objects in parsed.values() for _, box in objects]
    base = first_pixel(boxes, counts_from, reading)
    labels = [label for *_, objects in parsed.values() for label, _ in objects]
    images = []
    for image, (file, key, entry, objects) in parsed.items():
        record = ImageRecord(
            name=place_of(image)[1],
            image=tree.path(image),
            annotation=tree.path(file),
            boxes=tuple(
                BoxRecord(index, label, to_zero_based(box, base))
                for index, (label, box) in enumerate(objects)
            ),
            size=_size(entry),
            filename=key,
        )
        images.append((place_of(image)[0] or split_in(file), record))
    return Source(
        format='metal-surface',
        root=tree.root,
        classes=tuple(order_classes(tree, labels, reading)),
        splits=group_by_split(images),
        counts_from=base,
    )


def _objects(entry: dict[str, Any]) -> Objects:
    if not isinstance(entry['anno'], list):
        raise UserError('"anno" is no list')
    objects = []
    for index, item in enumerate(entry['anno']):
        try:
            label, sides = str(item['label']).strip(), item['bbox']
            x1, y1, x2, y2 = (float(side) for side in sides)
        except (KeyError, TypeError, ValueError) as error:
            text = 'needs "label" and "bbox" of four numbers'
            raise UserError(f'object {index} {text}') from error
        if not label or not math.isfinite(x1 + y1 + x2 + y2):
            raise UserError(f'object {index} needs a label and finite numbers')
        objects.append((label, (x1, y1, x2, y2)))
    return objects


def _size(entry: dict[str, Any]) -> tuple[int, int] | None:
    width, height = entry.get('width'), entry.get('height')
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        return width, height
    return None
