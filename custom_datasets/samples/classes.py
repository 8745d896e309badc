"""Drawn folders of classes: small pictures of different sizes, in any format."""

import colorsys
import os
import shutil
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from PIL import Image

from custom_datasets.data.config_sources import read_declaration
from custom_datasets.files import Image as Pixels


def draw_class_folders(
    root: str,
    classes: Sequence[str],
    count: int = 12,
    sides: tuple[int, int] = (20, 70),
    suffixes: Sequence[str] = ('.ppm',),
    seed: int = 0,
) -> None:
    """Draw ``<class>/<number><suffix>``: a sign of its own colour for each class.

    ``sides`` are the least and the largest in pixels, by default those of road signs
    cut out of photographs. ``suffixes`` take turns, and decide the format.
    """
    rng = np.random.default_rng(seed)
    for number, name in enumerate(classes):
        os.makedirs(os.path.join(root, name), exist_ok=True)
        for index in range(count):
            pixels = _sign(rng, number, rng.integers(*sides, 2, endpoint=True))
            file = f'{index:03d}{suffixes[index % len(suffixes)]}'
            Image.fromarray(pixels).save(os.path.join(root, name, file))


def draw_waste(root: str, count: int = 20, seed: int = 0) -> None:
    """Draw twelve folders of waste, with repeats in one class and across two."""
    module = 'custom_datasets.datasets.waste'
    waste = read_declaration('WasteDataset', [module], 'mmpretrain')
    classes = waste.metainfo['classes']
    draw_class_folders(root, classes, count, (80, 160), ['.jpg'], seed)
    one, other = (os.path.join(root, name) for name in classes[:2])
    shutil.copy(os.path.join(one, '000.jpg'), os.path.join(one, 'copy.jpg'))
    shutil.copy(os.path.join(one, '001.jpg'), os.path.join(other, '001.jpg'))


def _sign(rng: np.random.Generator, number: int, size: Iterable[int]) -> Pixels:
    width, height = map(int, size)
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = rng.integers(60, 200, 3)
    short = min(width, height)
    radius = int(rng.integers(short // 4, short // 2))
    center = (
        int(rng.integers(radius, width - radius + 1)),
        int(rng.integers(radius, height - radius + 1)),
    )
    red, green, blue = colorsys.hsv_to_rgb(number * 0.26 % 1, 0.86, 220)
    cv2.circle(pixels, center, radius, (red, green, blue), -1)
    corner = center[0] - radius // 2, center[1] + radius // 2
    cv2.putText(pixels, str(number), corner, 0, radius / 30, (255, 255, 255))
    noisy = pixels + rng.normal(0, 8, pixels.shape)
    return noisy.clip(0, 255).astype(np.uint8)
