"""Finding image files, and their size without decoding them."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from PIL import Image

from custom_datasets.data.image_kinds import ENDS, IMAGE_SUFFIXES, STARTS
from custom_datasets.data.opening import open_file
from custom_datasets.data.problems import Problem
from custom_datasets.errors import UserError

TAIL = 65_536
"""Bytes in which the end is looked for: cameras write more behind it."""

_LONGEST_PART = 200
"""Bytes that a part of a path may have: disks hold 255, with what is added to it."""

_LONGEST = 2**31
"""Of an image's sides, in pixels: no format has more."""

_EXIF_ORIENTATION = 274
_EXIF_TRANSPOSED = (5, 6, 7, 8)
_TURNED_BY_OPENCV = ('JPEG', 'MPO', 'PNG')


def without_suffix(name: str) -> str:
    """Strip the suffix of an image or of an XML file, and no other."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in (*IMAGE_SUFFIXES, '.xml') else name


def clean_name(name: str) -> str:
    """Make a path safe for lists: one name per line, and no second suffix.

    A backslash is another system's slash, which readers take it for.
    """
    name = '/'.join(
        re.sub(r'[\\\x00-\x1f\ufeff\ud800-\udfff]', '_', part).strip() or '_'
        for part in name.split('/')
    )
    while without_suffix(name) != name:
        stem, suffix = os.path.splitext(name)
        name = f'{stem}_{suffix[1:]}'
    return name


def free_name(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, numbered if need be, and take it.

    ``taken`` has names without case and with accents in one spelling, since many disks
    tell neither apart.
    """
    number, free = 1, name
    while folded(free) in taken:
        number += 1
        free = f'{name}-{number}'
    taken.add(folded(free))
    return free


def short_name(name: str) -> str:
    """Cut those parts of a path that disks cannot hold, and end them in a digest.

    So it does not depend on other names, and those that begin alike stay apart.
    """
    return '/'.join(map(_short_part, name.split('/')))


def _short_part(part: str) -> str:
    data = part.encode(errors='surrogatepass')
    if len(data) <= _LONGEST_PART:
        return part
    end = f'-{hashlib.sha256(data).hexdigest()[:8]}'
    return data[: _LONGEST_PART - len(end)].decode(errors='ignore') + end


def folded(name: str) -> str:
    """Return a name without case and with accents in one spelling, to compare it."""
    return unicodedata.normalize('NFC', name).casefold()


def absence(path: str) -> str:
    """Say why there is no image file: nothing is there, or a dead link."""
    problem = file_problem(path) if os.path.islink(path) else None
    return problem.message if problem else 'no such image'


def file_problem(path: str) -> Problem | None:
    """Return what a file's first and last bytes say against its being an image.

    A JPEG or PNG without its last bytes is decoded, since phones put films behind them,
    and so is a file of another kind whose size Pillow does not find.
    """
    try:
        with open_file(path) as file:
            head = file.read(4)
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - TAIL))
            tail = file.read()
    except OSError as error:
        text = f'cannot be read ({error.strerror})'
        return Problem('undecodable-image', text, path)
    start = next((start for start in STARTS if head.startswith(start)), None)
    if start is None:
        text = 'is not an image of any known kind' if size else 'is empty'
        return Problem('undecodable-image', text, path)
    if ENDS.get(start, b'') not in tail and _decodes(path) not in ('whole', 'unknown'):
        return Problem('truncated-image', 'is cut off', path)
    if start not in ENDS and not _has_size(path) and _decodes(path) == 'nothing':
        text = f'begins like a {STARTS[start]} file, but is cut off or damaged'
        return Problem('undecodable-image', text, path)
    return None


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
        problem = file_problem(path)
        text = problem.message if problem else f'not a readable image ({error})'
        raise UserError(f'{path}: {text}') from error
    return (height, width) if turned else (width, height)


def _is_transposed(image: Image.Image) -> bool:
    # Without this look, Pillow decodes a PNG in search of EXIF behind the pixels.
    if 'exif' not in image.info:
        return False
    try:
        return image.getexif().get(_EXIF_ORIENTATION) in _EXIF_TRANSPOSED
    except SyntaxError:
        return False  # Broken, and OpenCV ignores it as well.


def _decodes(path: str) -> str:
    # Decoders take a while to import.
    from custom_datasets.data.decode import decode

    with open(path, 'rb') as file:
        return decode(file.read())[0].decodes


def _has_size(path: str) -> bool:
    try:
        with Image.open(path) as image:
            return min(image.size) > 0
    except Exception:  # Pillow's readers raise anything on broken content.
        return False
