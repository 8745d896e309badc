"""Drawn cells and faces in Pascal VOC's layouts: BCCD, face mask, WIDER FACE.

Sizes are width and height in pixels.
"""

import os
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

import cv2
import numpy as np

from custom_datasets.data.records import Box
from custom_datasets.files import Image, write_image, write_text
from custom_datasets.samples.noise import noise

Named = tuple[str, Box]

BCCD_PARTS = {'train': 160, 'val': 20, 'test': 40}
WIDER_PARTS = {'train': 12, 'val': 4}
WIDER_EVENTS = ('Parade', 'Handshaking')


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
        image = noise(rng, size, (150, 160, 140))
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
            image = noise(rng, size, (150, 160, 140))
            faces = [_face(rng, image, side, 'without_mask')[1] for side in range(2)]
            objects = [
                ('face', (x1 - 1, y1 - 1, x2 - 1, y2 - 1)) for x1, y1, x2, y2 in faces
            ]
            folder = f'WIDER_{part}'
            folders = (f'{folder}/{number}--{event}', f'{folder}/Annotations')
            _write_voc(root, folders, f'{names[-1]}.jpg', image, objects)
        write_text(f'{root}/{part}.txt', '\n'.join(names) + '\n')


def _blood_smear(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[Image, list[Named]]:
    width, height = size
    image = noise(rng, size, (205, 215, 225))
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
