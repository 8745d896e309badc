"""Drawn waste on the ground, in the format of the recycling competition."""

import json
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from custom_datasets.files import Image, write_image, write_text

PARTS = {'train': 120, 'test': 40}

CLASSES = {
    'General trash': ('rectangle', (70, 60, 60)),
    'Paper': ('rectangle', (235, 240, 240)),
    'Paper pack': ('rectangle', (60, 150, 240)),
    'Metal': ('ellipse', (170, 165, 160)),
    'Glass': ('ellipse', (80, 140, 40)),
    'Plastic': ('ellipse', (210, 120, 30)),
    'Styrofoam': ('triangle', (250, 235, 250)),
    'Plastic bag': ('triangle', (200, 60, 200)),
    'Battery': ('triangle', (30, 30, 200)),
    'Clothing': ('triangle', (60, 210, 210)),
}
"""The shape and the colour, in BGR, of each class."""


def draw_recycling(
    root: str,
    parts: Mapping[str, int] = PARTS,
    size: tuple[int, int] = (1024, 1024),
    seed: int = 0,
) -> None:
    """Draw photographs of scenes, the JSON of each part, and a sample submission.

    Two photographs in a row show one scene, the second in another light: a split
    has to keep them together. Only ``train`` is annotated. The size is width and height
    in pixels.
    """
    rng = np.random.default_rng(seed)
    categories = [{'id': index, 'name': name} for index, name in enumerate(CLASSES)]
    for part, count in parts.items():
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number in range(count):
            if number % 2 == 0:
                scene, objects = _scene(rng, size, number // 2)
            shown = scene * (1 - number % 2 * 0.12) + rng.normal(0, 5, scene.shape)
            name = f'{part}/{number:04d}.jpg'
            write_image(f'{root}/{name}', shown.clip(0, 255).astype(np.uint8))
            width, height = size
            images.append(
                {'id': number, 'file_name': name, 'width': width, 'height': height}
            )
            annotations += [
                {'id': len(annotations) + index, 'image_id': number, **box}
                for index, box in enumerate(objects)
            ]
        content: dict[str, Any] = {
            'info': {'description': 'drawn'},
            'licenses': [],
            'images': images,
            'categories': categories,
        }
        if part == 'train':
            content['annotations'] = annotations
        else:
            rows = [
                'PredictionString,image_id',
                *(f',{i["file_name"]}' for i in images),
            ]
            write_text(f'{root}/sample_submission.csv', '\n'.join(rows) + '\n')
        write_text(f'{root}/{part}.json', json.dumps(content) + '\n')


def _scene(
    rng: np.random.Generator, size: tuple[int, int], turn: int
) -> tuple[Image, list[dict[str, Any]]]:
    """Draw one to four objects, in quarters of the ground; classes take turns."""
    half = size[0] // 2, size[1] // 2
    gray = rng.normal(130, 25, (8, 8)).clip(0, 255).astype(np.uint8)
    smooth = cv2.resize(gray, size, interpolation=cv2.INTER_CUBIC)
    ground = cv2.cvtColor(smooth, cv2.COLOR_GRAY2BGR).astype(np.uint8)
    objects: list[dict[str, Any]] = []
    for index, quarter in enumerate(rng.permutation(4)[: rng.integers(1, 5)].tolist()):
        label = (turn + 3 * index) % len(CLASSES)
        w, h = (int(side * rng.uniform(0.25, 0.95)) for side in half)
        x = quarter % 2 * half[0] + int(rng.integers(0, half[0] - w))
        y = quarter // 2 * half[1] + int(rng.integers(0, half[1] - h))
        _draw(ground, *list(CLASSES.values())[label], (x, y, x + w - 1, y + h - 1))
        box = {'bbox': [x, y, w, h], 'area': w * h, 'iscrowd': 0}
        objects.append({'category_id': label, **box})
    return ground, objects


def _draw(
    image: Image, shape: str, color: tuple[int, int, int], box: tuple[int, ...]
) -> None:
    """Fill a shape that touches all sides of a box, which names its last pixel."""
    left, top, right, bottom = box
    middle = (left + right) // 2, (top + bottom) // 2
    if shape == 'ellipse':
        half = (right - left) // 2, (bottom - top) // 2
        cv2.ellipse(image, middle, half, 0, 0, 360, color, -1)
    elif shape == 'triangle':
        corners = [(left, bottom), (right, bottom), (middle[0], top)]
        cv2.fillPoly(image, [np.array(corners, np.int32)], color)
    else:
        cv2.rectangle(image, (left, top), (right, bottom), color, -1)
