"""The metal-surface JSON: boxes keyed by file name.

``{"<file>": {"filename", "width", "height", "anno": [{"label", "bbox": [xmin,
ymin, xmax, ymax]}]}}``; coordinates count pixels from 1 where none is 0.
"""

import os
from dataclasses import replace
from typing import Any

from custom_datasets.data.images import claimed_size
from custom_datasets.data.names import json_name
from custom_datasets.data.numbers import finite_numbers, to_zero_based
from custom_datasets.data.problems import Problem
from custom_datasets.data.reading import (
    Reading,
    Source,
    first_pixel,
    group_by_split,
    order_classes,
)
from custom_datasets.data.records import BoxRecord, ImageRecord, has_area
from custom_datasets.data.tree import FindImage, Tree, place_of, split_in
from custom_datasets.errors import UserError
from custom_datasets.text import is_utf8, printable


def parse_boxes_json(
    path: str, content: Any, find_image: FindImage
) -> tuple[list[ImageRecord], list[Problem]]:
    """Return the sound images, named by their keys, and the problems of the others."""
    if not isinstance(content, dict):
        raise UserError(f'{path}: not a JSON object keyed by file name')
    records: dict[str, ImageRecord] = {}
    problems: list[Problem] = []
    repeated = set()
    for key, entry in content.items():
        if not is_utf8(key):
            text = f'{printable(key)}: this name is not in UTF-8'
            problems.append(Problem('broken-annotation', text, path))
            continue
        try:
            image = os.path.normpath(find_image(key))
        except UserError as error:
            problems.append(Problem('missing-image', str(error), path))
            continue
        boxes, texts = _objects(entry)
        problems += [
            Problem('broken-annotation', f'{key}: {text}', path) for text in texts
        ]
        if image in records:
            text = f'{key} is listed again, as {records[image].name}'
            problems.append(Problem('listed-twice', text, path))
            repeated.add(image)
        elif not texts:
            records[image] = ImageRecord(
                name=key,
                image=image,
                annotation=path,
                boxes=tuple(boxes),
                size=claimed_size(entry),
                filename=key,
            )
    sound = [record for image, record in records.items() if image not in repeated]
    return sound, problems


def find_metal_surface(tree: Tree) -> list[str]:
    """List the JSON files of this kind."""
    files = []
    for file in tree.ending('.json'):
        try:
            content = tree.load_json(file)
        except UserError:
            continue
        entries = content.values() if isinstance(content, dict) else ()
        if any(isinstance(entry, dict) and 'anno' in entry for entry in entries):
            files.append(file)
    return files


def read_metal_surface(
    tree: Tree, reading: Reading, counts_from: int | None = None
) -> Source:
    """Read a folder; see :class:`~custom_datasets.data.reading.Source`."""
    records: dict[str, ImageRecord] = {}
    repeated = set()
    files = find_metal_surface(tree)
    broken = tree.broken_json()
    if not files:
        raise next(
            iter(broken),
            UserError(f'{tree.name}: no JSON file with boxes by file name'),
        )
    reading.notes += [f'{error}; left out' for error in broken]
    for file in files:

        def find_image(key: str, file: str = file) -> str:
            return tree.find_image(key, file.rpartition('/')[0], split_in(file))

        images, problems = parse_boxes_json(file, tree.load_json(file), find_image)
        for record in images:
            first = records.setdefault(str(record.image), record)
            if first is not record:
                text = f'{record.name} is in {first.annotation} as well'
                problems.append(Problem('listed-twice', text, file))
                repeated.add(str(record.image))
        reading.report(problems)
    others = [image for image in tree.images if image not in records]
    for image in repeated:
        del records[image]
    reading.note(others, 'images that the JSON lacks left out')
    boxes = [(record.name, b.box) for record in records.values() for b in record.boxes]
    base = first_pixel(boxes, counts_from, reading)
    labels = [box.name for record in records.values() for box in record.boxes]
    chosen = []
    for image, record in records.items():
        solid = tuple(
            replace(box, box=to_zero_based(box.box, base))
            for box in record.boxes
            if has_area(box.box, base)
        )
        reading.dropped += len(record.boxes) - len(solid)
        split, name = place_of(image)
        placed = replace(
            record,
            name=name,
            image=tree.path(image),
            annotation=tree.path(str(record.annotation)),
            boxes=solid,
        )
        chosen.append((split or split_in(str(record.annotation)), placed))
    return Source(
        format='metal-surface',
        root=tree.root,
        classes=tuple(order_classes(tree, labels, reading)),
        splits=group_by_split(chosen),
        counts_from=base,
    )


def _objects(entry: Any) -> tuple[list[BoxRecord], list[str]]:
    """Return the objects of an entry, and what is wrong with it."""
    items = entry.get('anno') if isinstance(entry, dict) else None
    if not isinstance(items, list):
        return [], ['it has no list "anno"']
    boxes, texts = [], []
    for index, item in enumerate(items):
        fields = item if isinstance(item, dict) else {}
        name, sides = json_name(fields.get('label')), finite_numbers(fields.get('bbox'))
        if not name or len(sides) != 4:
            text = 'needs "label" and "bbox" of four finite numbers below 1e12'
            texts.append(f'object {index} {text}')
            continue
        x1, y1, x2, y2 = sides
        boxes.append(BoxRecord(index, name, (x1, y1, x2, y2)))
    return boxes, texts
