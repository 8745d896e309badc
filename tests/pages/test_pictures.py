"""Pictures inside the page."""

import base64
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from custom_datasets.pages import pictures
from custom_datasets.pages.pictures import Outline, overlay_heat, packed_pixels


def noise(width, height):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def jpeg(picture):
    data = base64.b64decode(picture.uri.removeprefix('data:image/jpeg;base64,'))
    return Image.open(io.BytesIO(data)), len(data)


@pytest.mark.parametrize(
    ('size', 'shown'),
    [((1000, 500), (480, 240)), ((30, 20), (30, 20)), ((9000, 3), (480, 1))],
)
def test_large_images_are_shrunk_and_small_ones_stay(size, shown):
    picture = pictures.make_picture(np.zeros((size[1], size[0], 3), np.uint8))
    assert jpeg(picture)[0].size == shown
    assert picture.size == size


def test_no_image_takes_more_than_its_share():
    image, size = jpeg(pictures.make_picture(noise(600, 600)))
    assert size <= 0.18 * 480 * 480
    assert image.size[0] >= 120


def test_colours_are_those_of_the_file(tmp_path):
    path = tmp_path / 'red.png'
    cv2.imwrite(str(path), np.full((8, 8, 3), (0, 0, 255), np.uint8))
    red, green, blue = jpeg(pictures.load_picture(str(path)))[0].getpixel((4, 4))
    assert red > 240 and max(green, blue) < 15


def test_an_image_is_turned_as_exif_says(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.new('RGB', (40, 20)).save(tmp_path / 'turned.jpg', exif=exif)
    assert pictures.load_picture(str(tmp_path / 'turned.jpg')).size == (20, 40)


@pytest.mark.parametrize('content', [None, b'', b'not an image'])
def test_what_is_no_image_is_no_picture(tmp_path, content):
    path = tmp_path / 'broken.jpg'
    if content is not None:
        path.write_bytes(content)
    assert pictures.load_picture(str(path)) is None


def test_boxes_beyond_the_limit_are_counted_only():
    outlines = [Outline((0, 0, 1, 1), 'x', '')] * (pictures.MOST_BOXES + 5)
    picture = pictures.make_picture(np.zeros((9, 9, 3), np.uint8), outlines)
    assert len(picture.outlines) == pictures.MOST_BOXES
    assert picture.boxes == pictures.MOST_BOXES + 5


def test_heat_changes_an_image_only_where_it_is_hot():
    pixels = np.full((40, 60, 3), 100, np.uint8)
    heat = np.zeros((4, 6))
    heat[:, :3] = 1.0
    hot = overlay_heat(pixels, heat)
    assert hot.shape == pixels.shape and hot.dtype == np.uint8
    assert (hot[:, 40:] == 100).all()
    # The hottest colour of Inferno is a pale yellow: (164, 255, 252) in BGR.
    assert hot[20, 5].tolist() == pytest.approx(
        [0.3 * 100 + 0.7 * band for band in (164, 255, 252)], abs=2
    )


def test_normalised_pixels_are_stretched_and_gray_ones_tripled():
    normal = np.array([[[-2.0, 2.0]]] * 3, np.float32)
    assert packed_pixels(normal).tolist() == [[[0] * 3, [255] * 3]]
    floats = np.array([[[-0.4, 300.0]]] * 3, np.float32)
    assert packed_pixels(floats).tolist() == [[[0] * 3, [255] * 3]]
    gray = np.full((1, 2, 2), 7, np.uint8)
    assert packed_pixels(gray).tolist() == np.full((2, 2, 3), 7).tolist()
