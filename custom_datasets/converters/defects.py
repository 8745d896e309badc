"""Reading a JSON of boxes keyed by file name.

The JSON is ``{"<file>": {"filename", "width", "height", "anno": [{"label",
"bbox": [xmin, ymin, xmax, ymax]}]}}``. Only its keys and ``anno`` are used:
sizes are read from the images.
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from custom_datasets.class_names import UnknownClasses
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.images import image_size, without_suffix
from custom_datasets.voc_xml import Box, clip_box


@dataclass(frozen=True, slots=True)
class Defect:
    """One box.

    Attributes:
        index: Where it is in its image's list.
        label: The class.
        box: Zero-based ``xyxy`` in pixels, inside the image.
    """

    index: int
    label: str
    box: Box


def read_defects(
    source: str, images: str, classes: Sequence[str], one_based: bool
) -> tuple[dict[str, list[Defect]], Counter[str]]:
    """Read all boxes that have an area.

    Args:
        source: The JSON file.
        images: Folder of the images.
        classes: Names that the JSON may use, and must.
        one_based: Whether coordinates count pixels from 1.

    Returns:
        The defects of each image that has one, and what was clipped or left
        out, with counts.

    Raises:
        UserError: The JSON or the folder can't be read.
        AnnotationError: With every missing or broken image, malformed entry,
            unknown class and class without a box.
    """
    data = _load(source)
    if not os.path.isdir(images):
        raise UserError(f'{images}: no such folder of images')
    problems: list[str] = []
    unknown = UnknownClasses(classes)
    notes: Counter[str] = Counter()
    defects: dict[str, list[Defect]] = {}
    for key, entry in data.items():
        found: list[Defect] = []
        try:
            size = _size(os.path.join(images, key))
            annotated = _annotated(entry)
        except UserError as error:
            problems.append(f'{key}: {error}')
            continue
        for index, item in enumerate(annotated):
            try:
                label, raw = _parse(item)
            except UserError as error:
                problems.append(f'{key}, object {index}: {error}')
                continue
            if label not in classes:
                unknown.add(label, key)
            box, clipped = clip_box(raw, size, one_based)
            if box is None:
                notes['boxes without area dropped'] += 1
                continue
            notes['boxes clipped'] += clipped
            found.append(Defect(index, label, box))
        if found:
            defects[key] = found
        else:
            notes['images without a box left out'] += 1
    files = {f for f in os.listdir(images) if without_suffix(f) != f}
    notes['images that the JSON lacks left out'] = len(files - set(data))
    problems += unknown.problems()
    labels = {defect.label for found in defects.values() for defect in found}
    absent = [name for name in classes if name not in labels]
    if defects or not problems:
        problems += [f'no box of class {name}' for name in absent]
    if problems:
        raise AnnotationError(source, problems)
    return defects, notes


def _load(source: str) -> dict[str, Any]:
    try:
        with open(source, encoding='utf-8-sig') as file:
            data = json.load(file, object_pairs_hook=_without_doubles)
    except OSError as error:
        raise UserError(f'{source}: {error.strerror}') from error
    except ValueError as error:
        raise UserError(f'{source}: broken JSON ({error})') from error
    if not isinstance(data, dict):
        raise UserError(f'{source}: not a JSON object keyed by file name')
    return data


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = sorted(k for k, n in Counter(k for k, _ in pairs).items() if n > 1)
        raise ValueError(f'twice in one object: {", ".join(twice)}')
    return result


def _size(path: str) -> tuple[int, int]:
    if not os.path.isfile(path):
        raise UserError(f'no such image in {os.path.dirname(path)}')
    return image_size(path)


def _annotated(entry: Any) -> list[Any]:
    annotated = entry.get('anno') if isinstance(entry, dict) else None
    if not isinstance(annotated, list):
        raise UserError('no list "anno"')
    return annotated


def _parse(item: Any) -> tuple[str, Box]:
    try:
        label, sides = str(item['label']).strip(), item['bbox']
        x1, y1, x2, y2 = (float(side) for side in sides)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError('needs "label" and "bbox" of four numbers') from error
    if not isinstance(sides, list) or not np.isfinite((x1, y1, x2, y2)).all():
        raise UserError('"bbox" is not a list of four finite numbers')
    return label, (x1, y1, x2, y2)
