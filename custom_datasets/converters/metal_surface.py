"""One square crop a box, from a JSON of boxes keyed by file name.

The JSON is ``{"<file>": {"filename", "width", "height", "anno": [{"label",
"bbox": [xmin, ymin, xmax, ymax]}]}}``, coordinates one-based: in the steel
data that use it the smallest is 1 and the largest the full width.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from custom_datasets.class_names import UnknownClasses
from custom_datasets.converters.files import new_folder, write_text
from custom_datasets.converters.splits import class_table, file_digest, split_by_class
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.voc_xml import Box, clip_box

RATIOS = {'train': 8, 'val': 1, 'test': 1}


@dataclass(frozen=True, slots=True)
class _Defect:
    index: int
    label: str
    box: Box


def convert(
    root: str,
    out: str,
    classes: Sequence[str],
    *,
    images: str = 'images',
    annotations: str = 'anno/annotation.json',
    one_based: bool = True,
    seed: int = 0,
    overwrite: bool = False,
) -> str:
    """Cut every box out of every image and divide the crops 8:1:1.

    Crops keep their pixels, unscaled, in the middle of a black square, and
    are written as PNG: ``<out>/<part>/<class>/<image>_<object>.png``. A list
    ``<out>/<part>.txt`` holds a crop's path, a tab and its class on each
    line, ``<out>/classes.txt`` the class names. All crops of one photograph,
    and of byte-identical ones, are in one part.

    Args:
        root: Folder of the raw data.
        out: Folder to make.
        classes: Class names in the order that numbers them.
        images: Folder of the images, relative to ``root``.
        annotations: The JSON file, relative to ``root``.
        one_based: Whether coordinates count pixels from 1.
        seed: Another seed gives another split.
        overwrite: Replace ``out``.

    Returns:
        A table of crops in each part, and a line on boxes without an area.

    Raises:
        UserError: The JSON can't be read, or ``out`` is there.
        AnnotationError: With every missing image, malformed entry and
            unknown class.
    """
    source = os.path.join(root, annotations)
    defects = _read(source, os.path.join(root, images), classes)
    paths = {name: os.path.join(root, images, name) for name in defects}
    labels = {
        n: Counter(d.label for d in found) for n, found in defects.items() if found
    }
    if not labels:
        raise UserError(f'{source}: no box in it, so there is nothing to cut')
    digests = {name: file_digest(paths[name]) for name in labels}
    parts = split_by_class(labels, RATIOS, digests, seed)
    stems = _unique_stems(labels)
    dropped = 0
    crops: dict[str, dict[str, str]] = {part: {} for part in parts}
    with new_folder(out, overwrite) as folder:
        for part, names in parts.items():
            for name in names:
                image = _load(paths[name])
                for defect in defects[name]:
                    crop = cut_square(image, defect.box, one_based)
                    if crop is None:
                        dropped += 1
                        continue
                    path = f'{part}/{defect.label}/{stems[name]}_{defect.index}.png'
                    os.makedirs(os.path.dirname(f'{folder}/{path}'), exist_ok=True)
                    if not cv2.imwrite(f'{folder}/{path}', crop):
                        raise UserError(f'{out}/{path}: cannot be written')
                    crops[part][path] = defect.label
        for part, listed in crops.items():
            lines = [f'{path}\t{label}\n' for path, label in sorted(listed.items())]
            write_text(f'{folder}/{part}.txt', ''.join(lines))
        write_text(f'{folder}/classes.txt', ''.join(f'{name}\n' for name in classes))
    found = {
        path: {label: 1} for part in crops.values() for path, label in part.items()
    }
    table = class_table(found, {part: list(listed) for part, listed in crops.items()})
    return f'{table}\n{dropped} boxes without area dropped'


def cut_square(
    image: NDArray[np.uint8], box: Box, one_based: bool = True
) -> NDArray[np.uint8] | None:
    """Cut a box out and pad it with black to a square, unscaled.

    Args:
        image: Shape (height, width, channels) or (height, width).
        box: ``xmin, ymin, xmax, ymax`` in pixels; fractions are rounded
            outwards.
        one_based: Whether ``box`` counts pixels from 1.

    Returns:
        A square as wide as the box's longer side, with the crop in its
        middle, or None where the box has no area inside the image.
    """
    height, width = image.shape[:2]
    clipped = clip_box(box, (width, height), one_based)
    if clipped is None:
        return None
    x1, y1 = (int(np.floor(v)) for v in clipped[:2])
    x2, y2 = (int(np.ceil(v)) for v in clipped[2:])
    crop = image[y1:y2, x1:x2]
    tall, wide = crop.shape[:2]
    side = max(tall, wide)
    top, left = (side - tall) // 2, (side - wide) // 2
    square = np.zeros((side, side, *image.shape[2:]), image.dtype)
    square[top : top + tall, left : left + wide] = crop
    return square


def _read(source: str, images: str, classes: Sequence[str]) -> dict[str, list[_Defect]]:
    try:
        with open(source, encoding='utf-8') as file:
            data = json.load(file)
    except OSError as error:
        raise UserError(f'{source}: {error.strerror}') from error
    except ValueError as error:
        raise UserError(f'{source}: broken JSON ({error})') from error
    if not isinstance(data, dict):
        raise UserError(f'{source}: not a JSON object keyed by file name')
    defects: dict[str, list[_Defect]] = {}
    problems = []
    unknown = UnknownClasses(classes)
    for key, entry in data.items():
        if not os.path.isfile(os.path.join(images, key)):
            problems.append(f'{images}/{key}: no such image')
            continue
        annotated = entry.get('anno') if isinstance(entry, dict) else None
        if not isinstance(annotated, list):
            problems.append(f'{source}: {key} has no list "anno"')
            continue
        defects[key] = []
        for index, item in enumerate(annotated):
            try:
                defect = _parse(index, item)
            except UserError as error:
                problems.append(f'{source}: {key}, object {index}: {error}')
                continue
            defects[key].append(defect)
            if defect.label not in classes:
                unknown.add(defect.label, f'{source}, {key}')
    problems += unknown.problems()
    if problems:
        raise AnnotationError(source, problems)
    return defects


def _parse(index: int, item: Any) -> _Defect:
    try:
        label = str(item['label'])
        x1, y1, x2, y2 = (float(value) for value in item['bbox'])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError('needs "label" and "bbox" of four numbers') from error
    if not np.isfinite((x1, y1, x2, y2)).all():
        raise UserError('"bbox" is not finite')
    return _Defect(index, label, (x1, y1, x2, y2))


def _unique_stems(names: Iterable[str]) -> dict[str, str]:
    stems = {name: os.path.splitext(name)[0].replace('/', '_') for name in names}
    shared = Counter(stems.values())
    return {
        name: stem if shared[stem] == 1 else re.sub(r'[/.]', '_', name)
        for name, stem in stems.items()
    }


def _load(path: str) -> NDArray[np.uint8]:
    image = cv2.imread(path, cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f'{path}: cannot be decoded')
    return image  # type: ignore[return-value]
