"""The scales that fit a data set's images and objects."""

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom_datasets.errors import UserError
from custom_datasets.formats import Source
from custom_datasets.images import image_size

LARGEST = (1333, 800)
"""Long and short side of an image that a detector on a GPU is trained at."""

SMALL_SIDE, SMALL_SIDE_AT_MOST = 416, 640
"""Long side on a CPU, and the one that small objects may raise it to."""

READABLE = 12
"""Pixels that an object should have at the training scale."""

LIGHT_SIDES = (64, 128)
"""Sides of images that a classifier on a CPU is trained at."""


def detection_scales(source: Source) -> dict[str, Any]:
    """Return what a detection set's boxes and images decide."""
    images = [image for part in source.splits.values() for image in part]
    sizes = np.array([image.size for image in images], np.float64)
    scale = training_scale(sizes)
    factors = np.minimum(max(scale) / sizes.max(1), min(scale) / sizes.min(1))
    boxes = np.array(
        [
            (factor * (box.box[2] - box.box[0]), factor * (box.box[3] - box.box[1]))
            for image, factor in zip(images, factors, strict=True)
            for box in image.boxes
        ],
        np.float64,
    ).reshape(-1, 2)
    sides = np.sqrt(boxes.clip(0).prod(1))
    sides = sides[sides > 0]
    return {
        'scale': scale,
        'small_scale': small_training_scale(scale, sides),
        'anchor_scale': anchor_scale(sides),
        'one_based': source.counts_from != 0,
    }


def training_scale(sizes: NDArray[np.float64]) -> tuple[int, int]:
    """Return the scale to train at: the median image, reduced to what fits.

    Args:
        sizes: ``(n, 2)``, width and height of each image in pixels.

    Returns:
        Width and height in pixels.
    """
    width, height = np.median(sizes, axis=0)
    long, short = max(width, height), min(width, height)
    factor = min(1.0, LARGEST[0] / long, LARGEST[1] / short)
    return round(width * factor), round(height * factor)


def small_training_scale(
    scale: tuple[int, int], sides: NDArray[np.float64]
) -> tuple[int, int]:
    """Return a scale for a CPU, larger where objects would hardly be seen.

    Args:
        scale: From :func:`training_scale`.
        sides: Square roots of the boxes' areas at that scale, in pixels.
    """
    long = max(scale)
    side = min(long, SMALL_SIDE)
    smallest = float(np.percentile(sides, 10)) if len(sides) else READABLE
    needed = READABLE / max(smallest, 1) * long
    side = round(min(max(side, needed), long, SMALL_SIDE_AT_MOST))
    return round(scale[0] * side / long), round(scale[1] * side / long)


def anchor_scale(sides: NDArray[np.float64]) -> int:
    """Return the ``octave_base_scale`` whose smallest anchor fits small boxes.

    Args:
        sides: Square roots of the boxes' areas at the training scale, in pixels.
    """
    smallest = float(np.percentile(sides, 10)) if len(sides) else 32.0
    return next((scale for scale in (4, 2) if 8 * scale <= 1.25 * smallest), 1)


def light_side(source: Source) -> int:
    """Return the side, in pixels, that a classifier trains at on a CPU."""
    sides = []
    for image in (image for part in source.splits.values() for image in part):
        # What can't be read is what the check is about to name.
        with suppress(UserError):
            sides.append(min(image_size(str(image.image))))
    return next(
        (side for side in LIGHT_SIDES if 1.5 * side >= np.median(sides or [0])),
        LIGHT_SIDES[-1],
    )
