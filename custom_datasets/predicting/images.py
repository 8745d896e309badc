"""Images to predict on, from wherever they come, as pixels."""

import os
import stat

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from custom_datasets.data.decode import decode
from custom_datasets.data.image_kinds import MAX_PIXELS
from custom_datasets.errors import ImageError

Pixels = NDArray[np.uint8]
"""Shape (height, width, 3), BGR as OpenCV has it."""

Picture = str | os.PathLike[str] | bytes | Pixels | Image.Image
"""A path, the content of an image file, pixels as in :data:`Pixels` (also gray,
``(height, width)``, or BGRA), or an image of Pillow."""

MAX_BYTES = 1 << 30
"""Larger files are not read."""


def read_pixels(
    image: Picture, name: str | None = None, max_pixels: int = MAX_PIXELS
) -> Pixels:
    """Return an image's pixels, turned as EXIF says where OpenCV does that.

    ``name`` is for messages; larger images than ``max_pixels`` are refused.

    Raises:
        ImageError: There is no such image, it is empty, damaged or too large (judged
            by its header, before anything is decoded), or has another shape.
    """
    name = name or picture_name(image)
    if isinstance(image, np.ndarray):
        return _from_array(image, name, max_pixels)
    if isinstance(image, Image.Image):
        _require_size(*image.size, name, max_pixels)
        try:
            upright = _eight_bits(ImageOps.exif_transpose(image), name).convert('RGB')
        except (OSError, SyntaxError, ValueError) as error:
            raise ImageError(name, f'cannot be decoded ({error})') from error
        return np.ascontiguousarray(np.asarray(upright)[:, :, ::-1])
    if isinstance(image, (str, os.PathLike)):
        data = _read_file(os.fspath(image))
    elif isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
    else:
        raise ImageError(name, f'is not an image, but {type(image).__name__}')
    decoded, pixels = decode(data, max_pixels)
    if decoded.stored:
        _require_size(*decoded.stored, name, max_pixels)
    if pixels is None or decoded.decodes != 'whole':
        raise ImageError(name, decoded.problem or 'cannot be decoded')
    return pixels


def picture_name(image: Picture) -> str:
    """Say in a message which image is meant."""
    if isinstance(image, (str, os.PathLike)):
        return os.fspath(image)
    if isinstance(image, Image.Image):
        return str(getattr(image, 'filename', '') or 'image')
    return 'image'


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """Return 16 bits of gray as OpenCV reads them: the upper eight."""
    if image.mode.startswith('I;16'):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ('I', 'F'):
        raise ImageError(name, f'has mode {image.mode}; convert it to 8 bits')
    return image


def _from_array(pixels: Pixels, name: str, max_pixels: int) -> Pixels:
    if pixels.dtype != np.uint8:
        raise ImageError(name, f'has pixels of {pixels.dtype}; they must be uint8')
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or not pixels.size:
        raise ImageError(
            name, f'has pixels of shape {pixels.shape}; needs (height, width, 3)'
        )
    _require_size(pixels.shape[1], pixels.shape[0], name, max_pixels)
    return np.ascontiguousarray(pixels[:, :, :3])


def _read_file(path: str) -> bytes:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(path, 'is not a file')
        if status.st_size > MAX_BYTES:
            raise ImageError(path, f'has {status.st_size:,} bytes, which is too large')
        with open(path, 'rb') as file:
            return file.read()
    except OSError as error:
        raise ImageError(path, f'cannot be read ({error.strerror})') from error
    except ValueError as error:  # A name with a zero byte.
        raise ImageError(repr(path), f'cannot be read ({error})') from error


def _require_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(
            name,
            f'is too large: {width} x {height} pixels; at most '
            f'{max_pixels / 1e6:.0f} megapixels are decoded',
        )
    if not width * height:
        raise ImageError(name, 'is empty')
