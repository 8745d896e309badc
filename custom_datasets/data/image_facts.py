"""What can be known about one image file, which is read and decoded once.

Facts are kept in a cache; judgement is not, and so lives elsewhere:
:mod:`custom_datasets.checks.images`, :mod:`custom_datasets.checks.leaks`.
"""

import base64
import hashlib
import os
import stat
from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np

from custom_datasets.data.decode import Decoding, Pixels, decode
from custom_datasets.errors import UserError

VERSION = f'4, OpenCV {cv2.__version__}'
"""What facts depend on besides the file; where it changes they are read again."""

THUMBNAIL_SIDE = 32
COLOUR_SIDE = 8
_LEAST_SHOWN = 24  # Pixels of the shorter side, below which nothing is compared.
_BLACK = 8  # The brightest level that compression may give to a black border.
_REDUCED_SIDE = 256
_GRAY_TOLERANCE = 2


@dataclass(frozen=True, slots=True)
class ImageFacts(Decoding):
    """One image file.

    Brightness is 0 to 255, of a copy whose longer side is at most 256 pixels, so that
    images of all sizes compare.

    Attributes:
        digest: Of the file's bytes; empty where it can't be read.
        size: Width and height in pixels as OpenCV loads it, turned as EXIF says; None
            where nothing decodes.
        pixels: Digest of the decoded pixels; empty where nothing decodes.
        gray: Whether the three bands are equal.
        mean: Of brightness; ``contrast`` is its standard deviation, ``shadow`` its 1st
            and ``light`` its 95th percentile.
        detail: Standard deviation of the Laplacian of brightness.
        compared: Whether enough is left without a black border to be compared.
        thumbnail: Brightness on a grid of 32x32, row by row, one byte each, of the
            picture without a black border.
        colour: Cr and Cb in turn on a grid of 8x8, row by row, of the same.
    """

    digest: str = ''
    size: tuple[int, int] | None = None
    pixels: str = ''
    gray: bool = False
    mean: float = 0.0
    contrast: float = 0.0
    shadow: float = 0.0
    light: float = 0.0
    detail: float = 0.0
    compared: bool = True
    thumbnail: bytes = b''
    colour: bytes = b''


_FIELDS = tuple(field.name for field in fields(ImageFacts))


def read_image_facts(path: str) -> ImageFacts:
    """Read one file; what is wrong with its content is among the facts.

    Where the file itself can't be read, a UserError says so without its path.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UserError('is not a file')
        with open(path, 'rb') as file:
            data = file.read()
    except OSError as error:
        raise UserError(f'cannot be read ({error.strerror})') from error
    decoding, pixels = decode(data)
    header = {field.name: getattr(decoding, field.name) for field in fields(decoding)}
    facts = ImageFacts(**header, digest=_digest(data))
    return facts if pixels is None else _measure(facts, pixels)


def pack_facts(facts: ImageFacts) -> list[Any]:
    """Return facts as JSON can hold them."""
    values = (getattr(facts, name) for name in _FIELDS)
    return [
        base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for value in values
    ]


def unpack_facts(values: list[Any]) -> ImageFacts:
    """Undo :func:`pack_facts`; raises ValueError or TypeError for other values."""
    named = dict(zip(_FIELDS, values, strict=True))
    for name in ('stored', 'size'):
        named[name] = named[name] and tuple(named[name])
    for name in ('thumbnail', 'colour'):
        named[name] = base64.b64decode(named[name])
    return ImageFacts(**named)


def _digest(data: bytes | memoryview) -> str:
    # The fastest of the standard library that has no collisions by chance.
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _measure(facts: ImageFacts, pixels: Pixels) -> ImageFacts:
    height, width = pixels.shape[:2]
    reduced = _reduce(pixels)
    blue, green, red = cv2.split(reduced)
    unlike = max(cv2.norm(green, band, cv2.NORM_INF) for band in (blue, red))
    gray = _fit(cv2.cvtColor(reduced, cv2.COLOR_BGR2GRAY))  # type: ignore[arg-type]
    share = np.bincount(gray.ravel(), minlength=256).cumsum() / gray.size
    mean, contrast = cv2.meanStdDev(gray)
    _, detail = cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_16S))
    shown = _without_border(gray)
    colour = _shrink(_without_border(reduced), COLOUR_SIDE)
    return replace(
        facts,
        size=(width, height),
        pixels=_digest(np.ascontiguousarray(pixels).data) + f' {width}x{height}',
        gray=unlike <= _GRAY_TOLERANCE,
        mean=round(float(mean[0, 0]), 2),
        contrast=round(float(contrast[0, 0]), 2),
        shadow=float(np.searchsorted(share, 0.01)),
        light=float(np.searchsorted(share, 0.95)),
        detail=round(float(detail[0, 0]), 3),
        compared=min(shown.shape) >= min(_LEAST_SHOWN, *gray.shape),
        thumbnail=_shrink(shown, THUMBNAIL_SIDE).tobytes(),
        colour=cv2.cvtColor(colour, cv2.COLOR_BGR2YCrCb)[..., 1:].tobytes(),
    )


def _without_border(pixels: Pixels) -> Pixels:
    """Cut away black rows and columns at the edges, which are padding.

    With it, pictures of different things would be alike.
    """
    shows = pixels > _BLACK if pixels.ndim == 2 else pixels.max(axis=2) > _BLACK
    rows, columns = np.flatnonzero(shows.any(1)), np.flatnonzero(shows.any(0))
    if not len(rows):
        return pixels
    shown = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.ascontiguousarray(shown)


def _reduce(pixels: Pixels) -> Pixels:
    """Reduce by a whole number, which is ten times as fast as by another one."""
    height, width = pixels.shape[:2]
    times = max(height, width) // _REDUCED_SIDE
    if times < 2:
        return pixels
    size = max(1, width // times), max(1, height // times)
    part = pixels[: size[1] * times, : size[0] * times]
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _fit(gray: Pixels) -> Pixels:
    height, width = gray.shape
    scale = _REDUCED_SIDE / max(height, width)
    if scale >= 1:
        return gray
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _shrink(pixels: Pixels, side: int) -> Pixels:
    return cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
