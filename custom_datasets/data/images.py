"""Finding image files, and their size without decoding them."""

import os
from collections.abc import Callable, Iterable, Mapping
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

_EXIF_ORIENTATION = 274
_EXIF_TRANSPOSED = (5, 6, 7, 8)
_TURNED_BY_OPENCV = ('JPEG', 'MPO', 'PNG')


class ImageIndex:
    """Finds an image by its name without a suffix; lists each folder once.

    Args:
        root: The folder that image names are relative to.
    """

    def __init__(self, root: str) -> None:
        """Read nothing yet."""
        self._root = os.path.join(root, '')
        self._folders: dict[str, dict[str, list[str]]] = {}
        self._below: dict[str, dict[str, list[str]]] = {}

    def find(self, image_id: str, *claims: str | None) -> str:
        """Return the path of the image that is called ``image_id``.

        It is the file of that name with any known suffix. Claims decide
        between several of these, the first one first, and where there is none:
        a claim that no file bears out is ignored. Where the folder has no such
        file at all, one of its sub-folders may have it, as in WIDER FACE.

        Args:
            image_id: Name without a suffix, relative to the root.
            claims: File names that a list or an annotation gives.

        Raises:
            UserError: There is no such image, or there are several and no
                claim names one of them.
        """
        folder, slash, stem = image_id.rpartition('/')
        stems = self._list(folder)
        found = stems.get(stem, [])
        name = found[0] if len(found) == 1 else _claimed(claims, found, stems)
        if name:
            return f'{self._root}{folder}{slash}{name}'
        inner = [] if found else self._find_below(folder, stem)
        if len(inner) == 1:
            return f'{self._root}{inner[0]}'
        if len(inner) > 1:
            found = [path.removeprefix(f'{folder}{slash}') for path in inner]
            raise UserError(
                f'{self._root}{image_id}.*: there are {" and ".join(found)}; rename '
                'one of them'
            )
        if not found:
            raise UserError(f'{self._root}{image_id}.*: no such image')
        raise UserError(
            f'{self._root}{image_id}.*: there are {" and ".join(found)}; give the '
            'suffix in the list'
        )

    def stems(self, folder: str = '') -> list[str]:
        """Return the names, without a suffix, of the images in a folder."""
        return list(self._list(folder))

    def _find_below(self, folder: str, stem: str) -> list[str]:
        """Return the images of that name in sub-folders, relative to the root."""
        if folder not in self._below:
            path = os.path.join(self._root, folder) or '.'
            entries = os.scandir(path) if os.path.isdir(path) else ()
            inner = sorted(entry.name for entry in entries if entry.is_dir())
            below: dict[str, list[str]] = {}
            for name in inner:
                sub = os.path.join(folder, name)
                for inner_stem, files in self._list(sub).items():
                    paths = [f'{sub}/{file}' for file in files]
                    below.setdefault(inner_stem, []).extend(paths)
            self._below[folder] = below
        return self._below[folder].get(stem, [])

    def _list(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._folders:
            stems: dict[str, list[str]] = {}
            path = os.path.join(self._root, folder) or '.'
            for name in sorted(os.listdir(path)) if os.path.isdir(path) else ():
                stem, suffix = os.path.splitext(name)
                if suffix.lower() in IMAGE_SUFFIXES:
                    stems.setdefault(stem, []).append(name)
            self._folders[folder] = stems
        return self._folders[folder]


def without_suffix(name: str) -> str:
    """Strip the suffix of an image or of an XML file, and no other."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in (*IMAGE_SUFFIXES, '.xml') else name


def images_in(folder: str) -> FindImage:
    """Return what finds images by their path in a folder."""

    def find_image(name: str) -> str:
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            raise UserError(f'{path}: no such image')
        return path

    return find_image


def claimed_size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the width and height that a JSON's entry claims; None if they are none."""
    width, height = entry.get('width'), entry.get('height')
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        return width, height
    return None


def image_size(path: str) -> tuple[int, int]:
    """Read (width, height) in pixels from the header, as OpenCV will load it.

    An EXIF orientation that turns the image by 90 degrees swaps the two where
    ``cv2.imread`` turns it as well. Where EXIF stands behind the pixels of a
    PNG it is not read: it is not in the header.

    Raises:
        UserError: The file is not an image that Pillow knows.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.format in _TURNED_BY_OPENCV and _is_transposed(image)
    except (OSError, Image.DecompressionBombError) as error:
        raise UserError(f'{path}: not a readable image ({error})') from error
    return (height, width) if turned else (width, height)


def _claimed(
    claims: Iterable[str | None], found: list[str], stems: dict[str, list[str]]
) -> str | None:
    for claim in claims:
        name = (claim or '').replace('\\', '/').rpartition('/')[2]
        if name in (found or stems.get(os.path.splitext(name)[0], [])):
            return name
    return None


def _is_transposed(image: Image.Image) -> bool:
    # Without this look, Pillow decodes a PNG in search of EXIF behind the pixels.
    if 'exif' not in image.info:
        return False
    try:
        return image.getexif().get(_EXIF_ORIENTATION) in _EXIF_TRANSPOSED
    except SyntaxError:
        return False  # It is broken, and OpenCV ignores it as well.
