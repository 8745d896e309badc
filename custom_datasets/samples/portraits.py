"""Drawn portraits in two styles, as two sources of photographs would differ.

What a model learns from them says nothing about people.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from custom_datasets.files import Image

Colour = NDArray[np.float64]

SIZE = (180, 220)
"""Width and height of a portrait in pixels."""

STYLES = {'studio': ((225, 222, 218), 1.0, 3.0), 'street': ((70, 95, 85), 0.8, 10.0)}
"""Background in BGR, brightness of everything, standard deviation of the noise."""


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
