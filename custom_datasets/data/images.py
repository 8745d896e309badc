"""Finding image files, and their size without decoding them."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

from custom_datasets.errors import UserError

IMAGE_SUFFIXES = (
    *('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp'),
    *('.gif', '.ppm', '.pgm', '.pbm', '.pnm'),
)
"""Suffixes, in lower case, of what counts as an image."""

FindImage = Callable[[str], str]
"""Returns the path of a named image's file; raises UserError where there is none."""

_LONGEST = 2**31
"""Of an image's sides, in pixels: no format has more."""

_EXIF_ORIENTATION = 274
_EXIF_TRANSPOSED = (5, 6, 7, 8)
_TURNED_BY_OPENCV = ('JPEG', 'MPO', 'PNG')


def without_suffix(name: str) -> str:
    """Strip the suffix of an image or of an XML file, and no other."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in (*IMAGE_SUFFIXES, '.xml') else name


def images_in(folder: str) -> FindImage:
    """Return a function that finds images by their path in a folder."""

    def find_image(name: str) -> str:
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            raise UserError(f'{path}: no such image')
        return path

    return find_image


def claimed_size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the width and height that a JSON's entry claims, if they are valid."""
    width, height = entry.get('width'), entry.get('height')
    if type(width) is int and type(height) is int:
        if 0 < width < _LONGEST and 0 < height < _LONGEST:
            return width, height
    return None


def image_size(path: str) -> tuple[int, int]:
    """Read (width, height) in pixels from the header, as OpenCV will load it.

    An EXIF orientation that turns the image by 90 degrees swaps the two where
    ``cv2.imread`` turns it as well; EXIF behind the pixels of a PNG is not read. Raises
    a UserError where Pillow does not know the file.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.format in _TURNED_BY_OPENCV and _is_transposed(image)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f'{path}: not a readable image ({error})') from error
    return (height, width) if turned else (width, height)


def _is_transposed(image: Image.Image) -> bool:
    # Without this look, Pillow decodes a PNG in search of EXIF behind the pixels.
    if 'exif' not in image.info:
        return False
    try:
        return image.getexif().get(_EXIF_ORIENTATION) in _EXIF_TRANSPOSED
    except SyntaxError:
        return False  # Broken, and OpenCV ignores it as well.
