import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from custom_datasets.data.images import image_size, without_suffix
from custom_datasets.errors import UserError


def test_without_suffix():
    assert without_suffix('x/a.JPG') == 'x/a'
    assert without_suffix('a.xml') == 'a'
    assert without_suffix('a.v2') == 'a.v2'
    assert without_suffix('2007.05') == '2007.05'


def pixels(mode):
    if mode == 'I;16':
        return Image.fromarray(np.full((20, 30), 4000, np.uint16))
    return Image.new(mode, (30, 20))


@pytest.fixture
def no_decoding(monkeypatch):
    def refuse(self):
        raise AssertionError('decoded')

    monkeypatch.setattr(ImageFile.ImageFile, 'load', refuse)


@pytest.mark.parametrize(
    ('mode', 'suffix'),
    [
        ('RGB', 'jpg'),
        ('L', 'jpg'),
        ('RGBA', 'png'),
        ('RGB', 'png'),
        ('L', 'png'),
        ('P', 'png'),
        ('I;16', 'png'),
        ('RGB', 'bmp'),
        ('RGB', 'tif'),
        ('RGB', 'webp'),
    ],
)
def test_image_size_from_the_header(tmp_path, mode, suffix, request):
    path = str(tmp_path / f'a.{suffix}')
    pixels(mode).save(path)
    request.getfixturevalue('no_decoding')
    assert image_size(path) == (30, 20)


def exif(orientation):
    table = Image.Exif()
    table[274] = orientation
    return table


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp', 'tif'])
def test_image_size_is_what_opencv_loads(tmp_path, suffix, orientation):
    path = tmp_path / f'a.{suffix}'
    Image.new('RGB', (30, 20)).save(path, exif=exif(orientation))
    loaded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    assert image_size(str(path)) == loaded.shape[1::-1]


def test_turned_jpeg_swaps_width_and_height(tmp_path):
    path = str(tmp_path / 'a.jpg')
    Image.new('RGB', (30, 20)).save(path, exif=exif(6))
    assert image_size(path) == (20, 30)


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_broken_exif_is_ignored(tmp_path, suffix):
    path = str(tmp_path / f'a.{suffix}')
    Image.new('RGB', (30, 20)).save(path, exif=b'Exif\0\0garbage garbage')
    assert image_size(path) == (30, 20)


def huge_png():
    def chunk(kind, data):
        check = struct.pack('>I', zlib.crc32(kind + data))
        return struct.pack('>I', len(data)) + kind + data + check

    head = struct.pack('>IIBBBBB', 40000, 40000, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', b'')


def cut_jpeg():
    buffer = io.BytesIO()
    Image.new('RGB', (30, 20)).save(buffer, 'jpeg')
    return buffer.getvalue()[:20]


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'is empty'),
        (b'not an image', 'is not an image of any known kind'),
        (huge_png() + b'IEND', 'not a readable image'),
        (cut_jpeg(), 'is cut off'),
        (None, r'cannot be read \(No such file or directory\)'),
    ],
)
def test_unreadable_image_is_named(tmp_path, content, reason):
    path = tmp_path / 'a.png'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf'a\.png: {reason}'):
        image_size(str(path))


def test_a_header_that_pillow_stumbles_over_is_no_image(tmp_path):
    path = tmp_path / 'a.ppm'
    path.write_bytes(b'P6\nabc def\n')
    with pytest.raises(UserError, match='begins like a PPM file, but is cut off'):
        image_size(str(path))
