"""One square crop per box, from photographs and a JSON of boxes.

The format is that of :mod:`custom_datasets.data.boxes_json`. Coordinates are
one-based: in the steel data that use it the smallest is 1 and the largest the
full width.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from custom_datasets.data.balance import class_table, file_digest, split_by_class
from custom_datasets.data.boxes_json import find_metal_surface, parse_boxes_json
from custom_datasets.data.images import image_size, without_suffix
from custom_datasets.data.names import UnknownClasses, read_classes
from custom_datasets.data.opening import load_json
from custom_datasets.data.problems import refused
from custom_datasets.data.records import Box, BoxRecord, ImageRecord
from custom_datasets.data.tree import Tree, images_in
from custom_datasets.data.voc import clip_box
from custom_datasets.errors import AnnotationError, ConfigError, UserError
from custom_datasets.files import (
    Image,
    new_folder,
    require_apart,
    write_image,
    write_text,
)
from custom_datasets.text import counted, shown

RATIOS = {'train': 8, 'val': 1, 'test': 1}


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
    """Cut every box out of every image, divide the crops 8:1:1 and return a table.

    Crops keep their pixels, unscaled, in the middle of a black square, and are written
    as PNG: ``<out>/<part>/<class>/<image>_<object>.png``. A list ``<out>/<part>.txt``
    holds a crop's path, a tab and its class on each line, ``<out>/classes.txt`` the
    class names. All crops of one photograph, and of byte-identical ones, are in one
    part. ``overwrite`` replaces ``out`` only if an earlier conversion made it.

    Raises:
        ConfigError: A class name is empty, appears twice or can't be a folder.
        UserError: The JSON can't be read, or ``out`` exists, holds the raw data or
            can't be written.
        AnnotationError: With everything that is wrong in the JSON or with the images.
    """
    classes = read_classes(classes)
    _require_folder_names(classes)
    source, folder = os.path.join(root, annotations), os.path.join(root, images)
    require_apart(out, (source, folder))
    defects, notes = _read_defects(source, folder, classes, one_based)
    others = _unread(root, source)
    text = f'files with boxes not read: {shown(others)}; --annotations names one'
    notes[text] = len(others)
    labels = {
        name: Counter(box.name for box in record.boxes)
        for name, record in defects.items()
    }
    digests = {name: file_digest(str(defects[name].image)) for name in labels}
    parts = split_by_class(labels, RATIOS, digests, seed)
    stems = crop_stems(labels)
    with new_folder(out, overwrite) as made:
        problems: list[str] = []
        for part, names in parts.items():
            lines: list[str] = []
            for name in names:
                try:
                    image = _load(str(defects[name].image))
                except UserError as error:
                    problems.append(str(error))
                    continue
                for defect in defects[name].boxes:
                    file = f'{stems[name]}_{defect.index}.png'
                    crop = f'{part}/{defect.name}/{file}'
                    write_image(f'{made}/{crop}', cut_square(image, defect.box))
                    lines.append(f'{crop}\t{defect.name}\n')
            write_text(f'{made}/{part}.txt', ''.join(sorted(lines)))
        if problems:
            raise AnnotationError(folder, problems)
        write_text(f'{made}/classes.txt', ''.join(f'{name}\n' for name in classes))
    table = class_table(labels, parts)
    return '\n'.join([table, *(counted(n, what) for what, n in notes.items() if n)])


def cut_square(image: Image, box: Box) -> Image:
    """Cut a box out and pad it with black to a square, unscaled.

    The box is zero-based ``xyxy`` in pixels, inside the image; fractions are rounded
    outwards. The square is as wide as the box's longer side, with the crop in its
    middle.
    """
    x1, y1 = (int(np.floor(v)) for v in box[:2])
    x2, y2 = (int(np.ceil(v)) for v in box[2:])
    crop = image[y1:y2, x1:x2]
    tall, wide = crop.shape[:2]
    side = max(tall, wide)
    top, left = (side - tall) // 2, (side - wide) // 2
    square = np.zeros((side, side, *image.shape[2:]), image.dtype)
    square[top : top + tall, left : left + wide] = crop
    return square


def crop_stems(names: Iterable[str]) -> dict[str, str]:
    """Give each image a stem for its crops, unique even where case is ignored.

    It is the path without separators and suffix, with a number where that is taken.
    """
    stems: dict[str, str] = {}
    taken = set()
    for name in sorted(names):
        first = stem = re.sub(r'[\\/\s]', '_', os.path.splitext(name)[0])
        number = 1
        while stem.casefold() in taken:
            number += 1
            stem = f'{first}-{number}'
        taken.add(stem.casefold())
        stems[name] = stem
    return stems


def _read_defects(
    source: str, images: str, classes: Sequence[str], one_based: bool
) -> tuple[dict[str, ImageRecord], Counter[str]]:
    """Read all boxes that have an area, zero-based and inside the image.

    Also returns counts of what was clipped or left out.
    """
    content = load_json(source)
    records, found = parse_boxes_json(source, content, images_in(images))
    problems = [str(problem) for problem in refused(found)]
    unknown = UnknownClasses(classes)
    notes: Counter[str] = Counter()
    defects: dict[str, ImageRecord] = {}
    for record in records:
        try:
            size = image_size(str(record.image))
        except UserError as error:
            problems.append(str(error))
            continue
        inside: list[BoxRecord] = []
        for box_record in record.boxes:
            if box_record.name not in classes:
                unknown.add(box_record.name, f'{source}: {record.name}')
            box, clipped = clip_box(box_record.box, size, one_based)
            if box is None:
                notes['boxes without area dropped'] += 1
                continue
            notes['boxes clipped'] += clipped
            inside.append(replace(box_record, box=box))
        if inside:
            defects[record.name] = replace(record, boxes=tuple(inside))
        else:
            notes['images without a box left out'] += 1
    files = {f for f in os.listdir(images) if without_suffix(f) != f}
    notes['images that the JSON lacks left out'] = len(files - set(content))
    problems += unknown.problems()
    used = {box.name for record in defects.values() for box in record.boxes}
    if defects or not problems:
        problems += [f'no box of class {name}' for name in classes if name not in used]
    if problems:
        raise AnnotationError(source, problems)
    return defects, notes


def _unread(root: str, source: str) -> list[str]:
    """List the files of the same kind in the folder that are not ``source``."""
    tree, read = Tree(root, descend=False), os.path.realpath(source)
    files = find_metal_surface(tree)
    return [file for file in files if os.path.realpath(tree.path(file)) != read]


def _require_folder_names(classes: Sequence[str]) -> None:
    bad = [name for name in classes if name in ('.', '..') or re.search(r'[/\t]', name)]
    if bad:
        raise ConfigError(f'classes that cannot be names of folders: {bad}')


def _load(path: str) -> Image:
    image = cv2.imread(path, cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f'{path}: cannot be decoded')
    height, width = image.shape[:2]
    if (width, height) != image_size(path):
        raise UserError(
            f'{path}: is {width}x{height} pixels, but its header says otherwise'
        )
    return image  # type: ignore[return-value]
