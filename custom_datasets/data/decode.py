"""Decoding an image strictly: what is missing or damaged is reported.

OpenCV and Pillow fill up a damaged JPEG with gray and say nothing; libjpeg does warn,
and simplejpeg passes its warnings on.
"""

import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from custom_datasets.data.image_kinds import HEIC_BRANDS, MAX_PIXELS, STARTS

Pixels = NDArray[np.uint8]

_EXIF_ORIENTATION, _TIFF_BITS = 274, 258
_TURNED_BY_OPENCV = ('JPEG', 'MPO', 'PNG')
_HARMLESS = (
    'unknown JFIF revision',
    'Unknown Adobe color transform',
    'Invalid SOS parameters',
    'bad ICC marker',
)
_FEW_STRAY_BYTES = 16
_LIMIT = threading.Lock()
_OPAQUE = 250
_SEEN_THROUGH = 0.01


@dataclass(frozen=True, slots=True)
class Decoding:
    """What decoding says about an image.

    Attributes:
        decodes: ``whole``, ``part``, ``nothing``, or ``unknown`` where it is too large
            to try.
        problem: What is wrong, as the end of a sentence; empty if nothing is.
        format: As Pillow calls it: ``JPEG``, ``PNG``.
        mode: Pillow's name of the bands: ``RGB``, ``L``, ``P``, ``CMYK``.
        bits: Of each band.
        alpha: Empty without transparency, else ``opaque`` where at most 1 % of the
            pixels make use of it, or ``used``.
        frames: How many pictures the file holds.
        orientation: The EXIF tag, 1 to 8, where OpenCV heeds it; else 1.
        stored: Width and height in pixels in the file; None where unknown.
    """

    decodes: str = 'nothing'
    problem: str = ''
    format: str = ''
    mode: str = ''
    bits: int = 8
    alpha: str = ''
    frames: int = 1
    orientation: int = 1
    stored: tuple[int, int] | None = None


def decode(
    data: bytes, max_pixels: int | None = None
) -> tuple[Decoding, Pixels | None]:
    """Decode the content of an image file, and say what is wrong with it.

    Larger images than ``max_pixels``, by default :data:`MAX_PIXELS`, are not. Pixels
    are as ``cv2.IMREAD_COLOR`` gives them, turned as EXIF says: BGR, shape (height,
    width, 3). They are None where nothing decodes; a damaged image has what
    could be saved.
    """
    if not data:
        return Decoding(problem='is empty'), None
    decode_kind = _decode_jpeg if data[:2] == b'\xff\xd8' else _decode_other
    return decode_kind(data, MAX_PIXELS if max_pixels is None else max_pixels)


def _decode_jpeg(data: bytes, max_pixels: int) -> tuple[Decoding, Pixels | None]:
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):  # Broken, or of a rare kind.
        return _decode_other(data, max_pixels)
    header = _read_header(data) or Decoding(format='JPEG')
    header = replace(header, stored=(width, height))
    if width * height > max_pixels:
        return replace(header, decodes='unknown'), None
    decodes, problem = 'whole', ''
    try:
        pixels = simplejpeg.decode_jpeg(data, 'BGR')
    except ValueError as error:
        decodes, problem = _judge(str(error), data)
        try:
            pixels = simplejpeg.decode_jpeg(data, 'BGR', strict=False)
        except ValueError:
            return replace(header, problem=f'cannot be decoded ({error})'), None
    if header.orientation != 1 or space in ('CMYK', 'YCCK'):
        loaded = _load(data)
        pixels = pixels if loaded is None else loaded
    return replace(header, decodes=decodes, problem=problem), pixels


def _judge(warning: str, data: bytes) -> tuple[str, str]:
    """Return what a warning of libjpeg means for the pixels, and a sentence."""
    if any(harmless in warning for harmless in _HARMLESS):
        return 'whole', ''
    if warning == 'Premature end of JPEG file':
        try:
            simplejpeg.decode_jpeg(data + b'\xff\xd9', 'GRAY')
        except ValueError:
            return 'part', 'is cut off, and OpenCV refuses it'
        return 'part', 'has all pixels but no end, and OpenCV may refuse it'
    stray = re.search(r'(\d+) extraneous bytes', warning)
    if stray and int(stray[1]) <= _FEW_STRAY_BYTES:
        return 'whole', f'may be damaged ({warning})'
    return 'part', f'is damaged, and OpenCV fills the gap without a warning ({warning})'


def _decode_other(data: bytes, max_pixels: int) -> tuple[Decoding, Pixels | None]:
    header = _read_header(data)
    if header is None:
        pixels = _load(data)
        if pixels is None:
            return Decoding(problem=guess_kind(data)), None
        height, width = pixels.shape[:2]
        return Decoding('whole', stored=(width, height)), pixels
    width, height = header.stored or (0, 0)
    if width * height > max_pixels:
        return replace(header, decodes='unknown'), None
    header = _read_all(data, header)
    pixels = _load(data)
    if pixels is None and header.decodes == 'whole':
        problem = f'is {header.format}, which OpenCV cannot decode'
        return replace(header, decodes='nothing', problem=problem), None
    return header, pixels


def guess_kind(data: bytes) -> str:
    """Say what a file may be that is not decoded, as the end of a sentence."""
    if data.startswith(b'version https://git-lfs'):
        return 'is a pointer of Git LFS; fetch the image with git lfs pull'
    for start, name in STARTS.items():
        if data.startswith(start):
            return f'begins like a {name} file, but is cut off or damaged'
    if data[4:8] == b'ftyp' and data[8:12] in HEIC_BRANDS:
        return 'is HEIC, as phones write it, which is not decoded; save it as JPEG'
    return 'is not an image, whatever its name says'


def _read_header(data: bytes) -> Decoding | None:
    """Read what precedes the pixels; None where Pillow does not know the format."""
    try:
        with _opened(data) as image:
            name, mode = image.format or '', image.mode
            orientation = 1
            if name in _TURNED_BY_OPENCV and 'exif' in image.info:
                orientation = _orientation(image)
            return Decoding(
                format=name,
                mode=mode,
                bits=_bits(image, data),
                frames=getattr(image, 'n_frames', 1),
                orientation=orientation,
                stored=image.size,
            )
    except Exception:  # Pillow's readers raise anything on broken content.
        return None


def _read_all(data: bytes, header: Decoding) -> Decoding:
    try:
        with _opened(data) as image:
            image.load()
            return replace(header, decodes='whole', alpha=_alpha(image))
    except Exception as error:  # See above.
        return replace(header, decodes='part', problem=f'is damaged ({error})')


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with _open_any_size(data) as image:
            yield image


def _open_any_size(data: bytes) -> Image.Image:
    """Read a header; Pillow would raise before it says how large the image is."""
    with _LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data))
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _orientation(image: Image.Image) -> int:
    try:
        orientation: int = image.getexif().get(_EXIF_ORIENTATION, 1)
    except SyntaxError:
        return 1  # Broken, and OpenCV ignores it as well.
    return orientation if orientation in range(1, 9) else 1


def _bits(image: Image.Image, data: bytes) -> int:
    if image.format == 'PNG':
        return data[24]  # Bit depth in IHDR; Pillow halves 16 bits of colour.
    if image.format == 'TIFF':
        bits: tuple[int, ...] = image.tag_v2.get(_TIFF_BITS, (8,))  # type: ignore[attr-defined]
        return max(bits)
    return 16 if '16' in image.mode else 32 if image.mode in 'IF' else 8


def _alpha(image: Image.Image) -> str:
    if 'transparency' in image.info:
        image = image.convert('RGBA')
    if 'A' not in image.getbands():
        return ''
    counts = image.getchannel('A').histogram()
    seen_through = sum(counts[:_OPAQUE])
    return 'used' if seen_through > _SEEN_THROUGH * sum(counts) else 'opaque'


def _load(data: bytes) -> Pixels | None:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return pixels  # type: ignore[return-value]
