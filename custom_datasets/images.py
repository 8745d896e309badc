"""Finding image files, and their size without decoding them."""

import os

from PIL import Image

from custom_datasets.errors import UserError

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
"""Suffixes (lower case) of what counts as an image; earlier ones win."""

_EXIF_ORIENTATION = 274
_EXIF_TRANSPOSED = (5, 6, 7, 8)


class ImageIndex:
    """Finds an image by its name without a suffix; lists each folder once.

    Args:
        root: The folder that image names are relative to.
    """

    def __init__(self, root: str) -> None:
        """Read nothing yet."""
        self.root = root
        self._files: dict[str, set[str]] = {}
        self._stems: dict[str, dict[str, str]] = {}

    def find(self, image_id: str, filename: str | None = None) -> str | None:
        """Return the path of an image, or None if there is none.

        The image whose name is ``image_id`` with any known suffix is taken;
        ``filename`` decides only between several of these, or where there is
        none and it exists itself.

        Args:
            image_id: Name without a suffix, relative to the root.
            filename: What an annotation claims the file to be called.
        """
        folder, stem = os.path.split(image_id)
        self._list(folder)
        claimed = os.path.basename(filename) if filename else ''
        exists = claimed in self._files[folder]
        if exists and os.path.splitext(claimed)[0] == stem:
            return os.path.join(self.root, folder, claimed)
        name = self._stems[folder].get(stem, claimed if exists else None)
        return os.path.join(self.root, folder, name) if name else None

    def _list(self, folder: str) -> None:
        if folder in self._files:
            return
        path = os.path.join(self.root, folder)
        files = os.listdir(path) if os.path.isdir(path) else []
        images = [f for f in files if f.lower().endswith(IMAGE_SUFFIXES)]
        images.sort(key=lambda f: IMAGE_SUFFIXES.index(os.path.splitext(f)[1].lower()))
        self._files[folder] = set(images)
        stems: dict[str, str] = {}
        for name in images:
            stems.setdefault(os.path.splitext(name)[0], name)
        self._stems[folder] = stems


def image_size(path: str) -> tuple[int, int]:
    """Read (width, height) in pixels from the header, as OpenCV will load it.

    An EXIF orientation that turns the image by 90 degrees swaps the two,
    since ``cv2.imread`` turns it as well.

    Raises:
        UserError: The file is not an image that Pillow knows.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(_EXIF_ORIENTATION) in _EXIF_TRANSPOSED
    except OSError as error:
        raise UserError(f'{path}: not a readable image ({error})') from error
    return (height, width) if turned else (width, height)
