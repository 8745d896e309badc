"""Faults of single images."""

import io

import cv2
import numpy as np
from PIL import Image

from tests.checks.planting import fault, harmless


@fault('jpeg-without-tail')
def jpeg_without_tail(place):
    data = place.jpeg()
    path = place.write_bytes(data[: len(data) * 2 // 3], '.jpg')
    return place.expect('truncated-image', path)


@fault('jpeg-with-a-hole')
def jpeg_with_a_hole(place):
    """Both ends are there; a third of the pixels between them is zeros."""
    data = bytearray(place.jpeg())
    third = len(data) // 3
    data[third : 2 * third] = bytes(third)
    assert data[-2:] == b'\xff\xd9'
    return place.expect('truncated-image', place.write_bytes(bytes(data), '.jpg'))


@fault('png-without-tail')
def png_without_tail(place):
    data = place.image.read_bytes()
    path = place.write_bytes(data[: len(data) * 2 // 3])
    return place.expect('truncated-image', path)


@fault('text-called-jpg')
def text_called_jpg(place):
    text = b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'
    return place.expect('undecodable-image', place.write_bytes(text, '.jpg'))


@fault('file-without-a-byte')
def file_without_a_byte(place):
    return place.expect('undecodable-image', place.write_bytes(b'', '.jpg'))


@fault('exif-ignored')
def exif_ignored(place):
    """Loaders turn the image by 90 degrees; the boxes are those before it."""
    path = place.write_bytes(place.jpeg(exif=_orientation(6)), '.jpg')
    also = ('wrong-size', 'outside-box', 'clipped-box', 'tiny-box')
    return place.expect('exif-ignored', path, also=also)


@fault('alpha')
def alpha(place):
    pixels = place.pixels()
    opacity = np.full(pixels.shape[:2], 255, np.uint8)
    opacity[:, : pixels.shape[1] // 2] = 0
    return place.expect('alpha', place.write(np.dstack([pixels, opacity])))


@fault('bit-depth')
def bit_depth(place):
    pixels = place.pixels().astype(np.uint16) * 257
    return place.expect('bit-depth', place.write(pixels))


@fault('gray')
def gray(place):
    pixels = cv2.cvtColor(place.pixels(), cv2.COLOR_BGR2GRAY)
    return place.expect('gray', place.write(pixels))


@fault('aspect-ratio')
def aspect_ratio(place):
    height, width = place.pixels().shape[:2]
    pixels = np.hstack([place.pixels()] * 12)[: height // 2]
    place.set_size(width * 12, height // 2)
    place.remove(lambda element: True)
    place.add('RBC', (10, 10, 30, 30))
    return place.expect('aspect-ratio', place.write(pixels), also=['tiny-box'])


@fault('blank')
def blank(place):
    pixels = np.full_like(place.pixels(), 205)
    return place.expect('blank', place.write(pixels), also=['blurred', 'bright'])


@fault('blurred')
def blurred(place):
    pixels = cv2.GaussianBlur(place.pixels(), (0, 0), 8)
    return place.expect('blurred', place.write(pixels))


@fault('dark')
def dark(place):
    pixels = (place.pixels() * 0.06).astype(np.uint8)
    also = ('blank', 'blurred')
    return place.expect('dark', place.write(pixels), also=also)


@fault('bright')
def bright(place):
    pixels = 255 - ((255 - place.pixels()) * 0.06).astype(np.uint8)
    also = ('blank', 'blurred')
    return place.expect('bright', place.write(pixels), also=also)


@harmless('exif-heeded')
def exif_heeded(place):
    """Stored on its side with EXIF that puts it upright, annotated upright."""
    buffer = io.BytesIO()
    sideways = Image.open(place.image).convert('RGB').transpose(Image.ROTATE_90)
    sideways.save(buffer, 'JPEG', quality=95, exif=_orientation(6))
    place.write_bytes(buffer.getvalue(), '.jpg')


@harmless('opaque-alpha')
def opaque_alpha(place):
    pixels = place.pixels()
    place.write(np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]))


def _orientation(value):
    exif = Image.Exif()
    exif[274] = value
    return exif
