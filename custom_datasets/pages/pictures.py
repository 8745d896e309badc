"""Images as small pictures inside the page, with their boxes drawn over them."""

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.decode import decode
from custom_datasets.data.records import Box
from custom_datasets.files import Image as Pixels

SIDE = 480
"""Longest side of a picture, in pixels."""

MOST_BOXES = 100
"""Boxes that are drawn on one picture; the rest are counted."""

_MOST_NAMES = 12
_QUALITIES = (75, 60, 45, 30, 15)
_BYTES_A_PIXEL = 0.18  # 41 kB for 480x480: a photograph at quality 75 needs less.


class Outline(NamedTuple):
    """A box to draw.

    Attributes:
        box: Zero-based ``xyxy`` in pixels of the image.
        name: Its class.
        style: Class of the style sheet that colours it.
        score: A model's, 0 to 1; None for an annotation.
        hit: The score of the model's box on this annotation; None without one.
    """

    box: Box
    name: str
    style: str
    score: float | None = None
    hit: float | None = None


class Picture(NamedTuple):
    """An image as a JPEG in a data URI.

    ``size`` is width and height of the image in pixels; the JPEG may have fewer.
    ``boxes`` counts those that are not drawn, too.
    """

    uri: str
    size: tuple[int, int]
    outlines: tuple[Outline, ...]
    boxes: int

    @property
    def crowded(self) -> bool:
        """Whether the names of all boxes would cover the image."""
        return sum('left-out' not in one.style for one in self.outlines) > _MOST_NAMES


def load_picture(
    path: str | None, outlines: Sequence[Outline] = (), side: int = SIDE
) -> Picture | None:
    """Read an image file, turned as EXIF says; None where it can't be shown."""
    pixels = read_pixels(path or '')
    return None if pixels is None else make_picture(pixels, outlines, side)


def read_pixels(path: str) -> Pixels | None:
    """Read an image file as BGR, turned as EXIF says; None where it can't be shown."""
    try:
        with open(path, 'rb') as file:
            return decode(file.read())[1]
    except OSError:
        return None


def packed_pixels(packed: Any) -> Pixels:
    """Return what a pipeline packed, shape (channels, height, width), as BGR bytes.

    Normalised pixels are stretched; of other than three channels the first is shown.
    """
    pixels = np.asarray(packed).transpose(1, 2, 0)
    if pixels.shape[2] != 3:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    if pixels.dtype != np.uint8 and (pixels.min() < -1 or pixels.max() <= 16):
        span = max(float(pixels.max() - pixels.min()), 1e-6)
        pixels = (pixels - pixels.min()) * (255 / span)
    return np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8))


def make_picture(
    pixels: Pixels, outlines: Sequence[Outline] = (), side: int = SIDE
) -> Picture:
    """Shrink a BGR image of shape (height, width, 3) and encode it.

    ``side`` is the longest side in pixels; a smaller image keeps its size.
    """
    height, width = pixels.shape[:2]
    scale = min(side / max(height, width), 1.0)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = pixels
    if scale < 1:
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    data = base64.b64encode(_encode(small, int(side * side * _BYTES_A_PIXEL)))
    return Picture(
        uri=f'data:image/jpeg;base64,{data.decode()}',
        size=(width, height),
        outlines=tuple(outlines[:MOST_BOXES]),
        boxes=len(outlines),
    )


def overlay_heat(pixels: Pixels, heat: NDArray[np.floating[Any]]) -> Pixels:
    """Lay a heat map over a BGR image of shape (height, width, 3), and return BGR.

    The heat map, 0 (the image is unchanged) to 1, is stretched to the image.
    """
    height, width = pixels.shape[:2]
    wide = cv2.resize(
        heat.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    ).clip(0, 1)
    # Inferno reads the same in print and to the colour-blind.
    colours = cv2.applyColorMap((wide * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    strength = 0.7 * wide[..., None]
    return (pixels * (1 - strength) + colours * strength).astype(np.uint8)


def _encode(pixels: Pixels, most: int) -> bytes:
    """Encode as JPEG, with lower quality and then smaller, until the size fits."""
    for quality in _QUALITIES:
        ok, data = cv2.imencode('.jpg', pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))
        if ok and data.size <= most:
            return data.tobytes()
    height, width = pixels.shape[:2]
    size = max(1, width // 2), max(1, height // 2)
    halved = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return _encode(halved, most)  # type: ignore[arg-type]
