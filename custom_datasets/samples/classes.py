"""Drawn images of one class each: folders of waste or of any signs, and portraits.

What a model learns from the portraits says nothing about people.
"""

import colorsys
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from custom_datasets.data.config_sources import read_declaration
from custom_datasets.files import Image, write_image

Colour = NDArray[np.float64]

SHARES = {2: 4, 3: 4, 4: 3, 5: 2, 6: 1}
"""Share of each decade in ``studio``, to train on: old faces are rare there."""

SIZE = (180, 220)
"""Width and height of a portrait in pixels."""

STYLES = {'studio': ((225, 222, 218), 1.0, 3.0), 'street': ((70, 95, 85), 0.8, 10.0)}
"""Background in BGR, brightness of everything, standard deviation of the noise."""


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
            PillowImage.fromarray(pixels).save(os.path.join(root, name, file))


def draw_waste(root: str, count: int = 20, seed: int = 0) -> None:
    """Draw twelve folders of waste, with repeats in one class and across two."""
    module = 'custom_datasets.datasets.waste'
    waste = read_declaration('WasteDataset', [module], 'mmpretrain')
    classes = waste.metainfo['classes']
    draw_class_folders(root, classes, count, (80, 160), ['.jpg'], seed)
    one, other = (os.path.join(root, name) for name in classes[:2])
    shutil.copy(os.path.join(one, '000.jpg'), os.path.join(one, 'copy.jpg'))
    shutil.copy(os.path.join(one, '001.jpg'), os.path.join(other, '001.jpg'))


def draw_age_gender(root: str, count: int = 40, seed: int = 0) -> None:
    """Draw portraits of two sources, ``studio`` and ``street``, in class folders.

    ``street`` gets ``count`` of each class; ``studio`` as many of the sixties, and four
    times as many of the twenties.
    """
    names = {
        f'{decade}0s_{gender}': share
        for decade, share in SHARES.items()
        for gender in ('female', 'male')
    }
    studio = {name: count * share for name, share in names.items()}
    draw_portraits(f'{root}/studio', studio, 'studio', seed)
    draw_portraits(f'{root}/street', dict.fromkeys(names, count), 'street', seed + 1)


def draw_portraits(
    root: str, counts: Mapping[str, int], style: str = 'studio', seed: int = 0
) -> None:
    """Draw ``<class>/<class>_<number>.jpg``, so many of each ``20s_female``."""
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        decade, gender = int(name[0]), name.partition('_')[2]
        for index in range(count):
            image = draw_portrait(rng, decade, gender, style)
            write_image(f'{root}/{name}/{name}_{index:04d}.jpg', image)


def draw_portrait(
    rng: np.random.Generator, decade: int, gender: str, style: str = 'studio'
) -> Image:
    """Draw a face that OpenCV's cascade finds, BGR of shape (220, 180, 3).

    Hair turns grey and wrinkles come with the decades, 2 for the twenties to 6 for
    the sixties; women's hair is longer.
    """
    background, light, noise = STYLES[style]
    image = np.full((SIZE[1], SIZE[0], 3), background, np.uint8)
    x, y = (int(v) for v in np.array(SIZE) // 2 + rng.integers(-8, 9, 2))
    r = int(rng.integers(40, 50))
    age = max(decade - 2 + rng.normal(0, 0.3), 0)
    skin: Colour = np.add((150, 185, 225), rng.uniform(-12, 12))
    hair: Colour = np.add((35, 40, 50), 38 * age + rng.uniform(-8, 8))
    _draw_head(image, (x, y), r, skin, hair, gender == 'female')
    for side in (-1, 1):
        _draw_eye(image, (x + side * r * 2 // 5, y - r // 6), r, skin, hair)
        nostril = (x + side * r // 10, y + r * 2 // 5)
        _ellipse(image, nostril, (r // 14, r // 20), 0.62 * skin)
    _ellipse(image, (x, y + r * 3 // 4), (r * 3 // 10, r // 10), (90, 90, 170))
    for wrinkle in range(round(1.2 * age)):
        height = y - r // 2 - wrinkle * r // 9
        ends = (x - r // 2, height), (x + r // 2, height)
        cv2.line(image, *ends, (0.8 * skin).tolist(), 1, cv2.LINE_AA)
    blurred = cv2.GaussianBlur(image, (5, 5), 0) * light
    # Uneven light tells pictures apart that would show the same otherwise.
    shade = cv2.resize(rng.normal(1, 0.18, (4, 3)), SIZE, interpolation=cv2.INTER_CUBIC)
    noisy = blurred * shade[..., None] + rng.normal(0, noise, image.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def _sign(rng: np.random.Generator, number: int, size: Iterable[int]) -> Image:
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


def _draw_head(
    image: Image,
    centre: tuple[int, int],
    r: int,
    skin: Colour,
    hair: Colour,
    long: bool,
) -> None:
    x, y = centre
    wide, top = r * 11 // 10, y - r // 6
    _ellipse(image, (x, SIZE[1] + 10), (r * 3 // 2, r), (90, 70, 60))
    neck = (x - r // 3, y + r), (x + r // 3, SIZE[1] - 20)
    cv2.rectangle(image, *neck, (0.85 * skin).tolist(), -1)
    cv2.ellipse(image, (x, top), (wide, r * 7 // 5), 0, 180, 360, hair.tolist(), -1)
    if long:
        ends = (x - wide, top), (x + wide, y + r * 5 // 4)
        cv2.rectangle(image, *ends, hair.tolist(), -1)
    _ellipse(image, centre, (r * 9 // 10, r * 5 // 4), skin)
    _ellipse(image, (x, y - r * 5 // 4), (r * 4 // 5, r // 2), hair)


def _draw_eye(
    image: Image, centre: tuple[int, int], r: int, skin: Colour, hair: Colour
) -> None:
    x, y = centre
    _ellipse(image, centre, (r // 4, r // 6), 0.7 * skin)
    _ellipse(image, centre, (r // 5, r // 10), (235, 235, 235))
    _ellipse(image, centre, (r // 9, r // 9), (40, 35, 30))
    brow = (x - r // 4, y - r // 4), (x + r // 4, y - r // 4)
    cv2.line(image, *brow, (0.6 * hair).tolist(), max(r // 12, 2), cv2.LINE_AA)


def _ellipse(
    image: Image, centre: tuple[int, int], axes: tuple[int, int], colour: object
) -> None:
    bgr = np.asarray(colour, float).tolist()
    cv2.ellipse(image, centre, axes, 0, 0, 360, bgr, -1, cv2.LINE_AA)
