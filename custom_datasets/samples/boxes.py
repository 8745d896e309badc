"""Drawn pictures with boxes in the formats of the real sets: XML or JSON.

Cells (BCCD) and faces (face mask, WIDER FACE) in Pascal VOC's layouts, steel with
defects, waste on the ground. Sizes are width and height in pixels.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import cv2
import numpy as np

from custom_datasets.data.records import Box
from custom_datasets.files import Image, write_image, write_text

Named = tuple[str, Box]

BCCD_PARTS = {'train': 160, 'val': 20, 'test': 40}
WIDER_PARTS = {'train': 12, 'val': 4}
WIDER_EVENTS = ('Parade', 'Handshaking')
METAL_CLASSES = ('crease', 'inclusion', 'oil_spot', 'punching_hole')
RECYCLING_PARTS = {'train': 120, 'test': 40}

RECYCLING_CLASSES = {
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


def draw_bccd(
    root: str,
    parts: Mapping[str, int] = BCCD_PARTS,
    size: tuple[int, int] = (320, 240),
    seed: int = 0,
) -> None:
    """Draw blood smears in BCCD's layout: PNG images, one-based XML and lists."""
    rng = np.random.default_rng(seed)
    for part, count in parts.items():
        names = [f'{part}_{index:04d}' for index in range(count)]
        for name in names:
            image, objects = _blood_smear(rng, size)
            _write_voc(
                root, ('JPEGImages', 'Annotations'), f'{name}.png', image, objects
            )
        write_text(f'{root}/ImageSets/Main/{part}.txt', '\n'.join(names) + '\n')


def draw_face_mask(
    root: str, count: int = 40, size: tuple[int, int] = (96, 80), seed: int = 0
) -> None:
    """Draw the face mask set's layout: RGBA PNG, no lists, a rare class in a fifth."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        image = _noise(rng, size, (150, 160, 140))
        objects = []
        for side, name in enumerate(('with_mask', 'without_mask')):
            if side == 1 and index % 5 == 0:
                name = 'mask_weared_incorrect'
            objects.append(_face(rng, image, side, name))
        rgba = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        folders = ('images', 'annotations')
        _write_voc(root, folders, f'maksssksksss{index}.png', rgba, objects)


def draw_wider_face(
    root: str,
    parts: Mapping[str, int] = WIDER_PARTS,
    size: tuple[int, int] = (96, 80),
    seed: int = 0,
) -> None:
    """Draw faces in WIDER FACE's layout: event folders, zero-based XML, two lists."""
    rng = np.random.default_rng(seed)
    for part, count in parts.items():
        names = []
        for index in range(count):
            event, number = WIDER_EVENTS[index % 2], index % 2
            names.append(f'{number}_{event}_{event}_{number}_{index}')
            image = _noise(rng, size, (150, 160, 140))
            faces = [_face(rng, image, side, 'without_mask')[1] for side in range(2)]
            objects = [
                ('face', (x1 - 1, y1 - 1, x2 - 1, y2 - 1)) for x1, y1, x2, y2 in faces
            ]
            folder = f'WIDER_{part}'
            folders = (f'{folder}/{number}--{event}', f'{folder}/Annotations')
            _write_voc(root, folders, f'{names[-1]}.jpg', image, objects)
        write_text(f'{root}/{part}.txt', '\n'.join(names) + '\n')


def draw_metal_surface(
    root: str,
    count: int = 60,
    size: tuple[int, int] = (96, 64),
    seed: int = 0,
) -> None:
    """Draw ``images``, of steel with one or two defects, and ``anno/annotation.json``.

    Classes take turns, and each has its own brightness and stripes.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    entries = {}
    for index in range(count):
        image = _noise(rng, size, (120, 120, 120))
        defects = []
        for side in range(1 + index % 2):
            label = (index + side) % len(METAL_CLASSES)
            w, h = (int(v) for v in rng.integers(height // 4, height // 2, 2))
            x = int(rng.integers(0, width // 2 - w)) + side * width // 2
            y = int(rng.integers(0, height - h))
            patch = image[y : y + h, x : x + w]
            patch[...] = 20 + 70 * label // len(METAL_CLASSES)
            patch[:: label + 2] = 255 - patch[:: label + 2]
            defects.append(
                {'label': METAL_CLASSES[label], 'bbox': [x + 1, y + 1, x + w, y + h]}
            )
        name = f'steel_{index:03d}.jpg'
        write_image(f'{root}/images/{name}', image)
        head = {'filename': name, 'width': width, 'height': height}
        entries[name] = {**head, 'anno': defects}
    write_text(f'{root}/anno/annotation.json', json.dumps(entries, indent='\t'))


def draw_recycling(
    root: str,
    parts: Mapping[str, int] = RECYCLING_PARTS,
    size: tuple[int, int] = (1024, 1024),
    seed: int = 0,
) -> None:
    """Draw photographs of scenes, the JSON of each part, and a sample submission.

    Two photographs in a row show one scene, the second in another light: a split
    has to keep them together. Only ``train`` is annotated.
    """
    rng = np.random.default_rng(seed)
    categories = [
        {'id': index, 'name': name} for index, name in enumerate(RECYCLING_CLASSES)
    ]
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


def _noise(
    rng: np.random.Generator, size: tuple[int, int], color: tuple[int, int, int]
) -> Image:
    """Return pixels of about one colour, in BGR; the size is width and height."""
    shape = (size[1], size[0], 3)
    noisy = np.array(color) + rng.normal(0, 6, shape)
    return np.ascontiguousarray(noisy.clip(0, 255).astype(np.uint8))


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
        label = (turn + 3 * index) % len(RECYCLING_CLASSES)
        w, h = (int(side * rng.uniform(0.25, 0.95)) for side in half)
        x = quarter % 2 * half[0] + int(rng.integers(0, half[0] - w))
        y = quarter // 2 * half[1] + int(rng.integers(0, half[1] - h))
        _draw_shape(
            ground,
            *list(RECYCLING_CLASSES.values())[label],
            (x, y, x + w - 1, y + h - 1),
        )
        box = {'bbox': [x, y, w, h], 'area': w * h, 'iscrowd': 0}
        objects.append({'category_id': label, **box})
    return ground, objects


def _draw_shape(
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


def _blood_smear(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[Image, list[Named]]:
    width, height = size
    image = _noise(rng, size, (205, 215, 225))
    kinds = ['WBC', *['RBC'] * int(rng.integers(3, 7)), *['Platelets'] * 2]
    radius = {'WBC': height // 5, 'RBC': height // 9, 'Platelets': height // 20}
    placed: list[tuple[int, int, int]] = []
    objects: list[Named] = []
    for kind in kinds:
        for _ in range(50):
            r = round(radius[kind] * rng.uniform(0.85, 1.15))
            x, y = int(rng.integers(r, width - r)), int(rng.integers(r, height - r))
            if all((x - a) ** 2 + (y - b) ** 2 > (r + c) ** 2 for a, b, c in placed):
                placed.append((x, y, r))
                _draw_cell(image, kind, (x, y), r)
                objects.append((kind, (x - r + 1, y - r + 1, x + r + 1, y + r + 1)))
                break
    return cv2.GaussianBlur(image, (3, 3), 0).astype(np.uint8), objects


def _draw_cell(image: Image, kind: str, center: tuple[int, int], radius: int) -> None:
    if kind == 'RBC':
        cv2.circle(image, center, radius, (150, 145, 215), -1, cv2.LINE_AA)
        cv2.circle(image, center, radius // 2, (175, 180, 222), -1, cv2.LINE_AA)
    elif kind == 'WBC':
        cv2.circle(image, center, radius, (200, 170, 190), -1, cv2.LINE_AA)
        cv2.circle(image, center, radius * 2 // 3, (140, 60, 95), -1, cv2.LINE_AA)
    else:
        cv2.circle(image, center, radius, (165, 85, 130), -1, cv2.LINE_AA)


def _face(rng: np.random.Generator, image: Image, side: int, name: str) -> Named:
    height, width = image.shape[:2]
    r = int(rng.integers(height // 8, height // 5))
    x = int(rng.integers(r, width // 2 - r)) + side * width // 2
    y = int(rng.integers(r, height - r))
    cv2.circle(image, (x, y), r, (120, 160, 220), -1)
    if name != 'without_mask':
        top = y if name == 'with_mask' else y + r // 2
        cv2.rectangle(image, (x - r, top), (x + r, y + r), (230, 200, 150), -1)
    return name, (x - r + 1, y - r + 1, x + r + 1, y + r + 1)


def _write_voc(
    root: str,
    folders: tuple[str, str],
    file: str,
    image: Image,
    objects: Sequence[Named],
) -> None:
    height, width = image.shape[:2]
    write_image(f'{root}/{folders[0]}/{file}', image)
    body = ''.join(
        f'<object><name>{escape(name)}</name><difficult>0</difficult><bndbox>'
        + ''.join(
            f'<{side}>{min(max(value, 1), limit):g}</{side}>'
            for side, value, limit in zip(
                ('xmin', 'ymin', 'xmax', 'ymax'), box, (width, height) * 2, strict=True
            )
        )
        + '</bndbox></object>'
        for name, box in objects
    )
    size = f'<size><width>{width}</width><height>{height}</height></size>'
    text = f'<annotation><filename>{file}</filename>{size}{body}</annotation>\n'
    write_text(f'{root}/{folders[1]}/{os.path.splitext(file)[0]}.xml', text)
