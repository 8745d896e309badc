"""The background that samples are drawn on."""

import numpy as np

from custom_datasets.files import Image


def noise(
    rng: np.random.Generator, size: tuple[int, int], color: tuple[int, int, int]
) -> Image:
    """Return pixels of about one colour, in BGR; the size is width and height."""
    shape = (size[1], size[0], 3)
    noisy = np.array(color) + rng.normal(0, 6, shape)
    return np.ascontiguousarray(noisy.clip(0, 255).astype(np.uint8))
