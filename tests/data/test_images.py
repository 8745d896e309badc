import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from custom_datasets.data.images import ImageIndex, image_size, without_suffix
from custom_datasets.errors import UserError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    'name',
    ['a.jpg', 'a.JPG', 'a.png', 'a.Jpeg', 'a.bmp', 'a.TIF', 'a.webp', 'a.PPM', 'a.gif'],
)
def test_finds_any_suffix(tmp_path, name):
    touch(tmp_path, name, 'a.txt', 'ab.jpg')
    assert ImageIndex(str(tmp_path)).find('a') == str(tmp_path / name)


def test_finds_in_sub_folders_and_odd_names(tmp_path):
    touch(tmp_path, 'x/y/a.png', 'Größe 1.v2.png', 'b.png')
    index = ImageIndex(str(tmp_path))
    assert index.find('x/y/a') == str(tmp_path / 'x/y/a.png')
    assert index.find('Größe 1.v2') == str(tmp_path / 'Größe 1.v2.png')
    assert index.stems() == ['Größe 1.v2', 'b'] or index.stems() == ['b', 'Größe 1.v2']


@pytest.mark.parametrize('claim', ['b.png', r'C:\data\b.png', '/home/x/b.png'])
def test_a_claim_counts_where_the_name_finds_nothing(tmp_path, claim):
    touch(tmp_path, 'b.png')
    assert ImageIndex(str(tmp_path)).find('a', None, claim) == str(tmp_path / 'b.png')


@pytest.mark.parametrize('claim', ['b.png', 'nothing.png', '', None, 'a.bmp'])
def test_a_claim_does_not_beat_the_name(tmp_path, claim):
    touch(tmp_path, 'a.jpg', 'b.png')
    assert ImageIndex(str(tmp_path)).find('a', claim) == str(tmp_path / 'a.jpg')


def test_claims_decide_between_suffixes_the_first_first(tmp_path):
    touch(tmp_path, 'a.jpg', 'a.png')
    index = ImageIndex(str(tmp_path))
    assert index.find('a', 'a.png', 'a.jpg') == str(tmp_path / 'a.png')
    assert index.find('a', 'a', 'a.jpg') == str(tmp_path / 'a.jpg')
    with pytest.raises(UserError, match=r'a\.\*: there are a\.jpg and a\.png; give'):
        index.find('a', 'b.png', None)


def test_a_sub_folder_may_have_what_the_folder_has_not(tmp_path):
    touch(tmp_path, 'x/a.png', 'y/b.JPG', 'y/z/c.png', 'd.png', 'x/d.png')
    index = ImageIndex(str(tmp_path))
    assert index.find('a') == str(tmp_path / 'x/a.png')
    assert index.find('b', 'b') == str(tmp_path / 'y/b.JPG')
    assert index.find('y/c') == str(tmp_path / 'y/z/c.png')
    assert index.find('d') == str(tmp_path / 'd.png')
    with pytest.raises(UserError, match=r'c\.\*: no such image'):
        index.find('c')


def test_two_sub_folders_with_the_same_name_are_an_error(tmp_path):
    touch(tmp_path, 'x/a.png', 'y/a.jpg')
    with pytest.raises(UserError, match=r'a\.\*: there are x/a\.png and y/a\.jpg'):
        ImageIndex(str(tmp_path)).find('a')


@pytest.mark.parametrize('image_id', ['a', 'no/folder/a', ''])
def test_no_image_is_an_error(tmp_path, image_id):
    touch(tmp_path, 'a.txt')
    with pytest.raises(UserError, match='no such image'):
        ImageIndex(str(tmp_path)).find(image_id, 'c.png')


def test_relative_and_empty_roots(tmp_path, monkeypatch):
    touch(tmp_path, 'a.png')
    monkeypatch.chdir(tmp_path)
    assert ImageIndex('').find('a') == 'a.png'
    assert ImageIndex('.').find('a') == './a.png'


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
    'content', [b'', b'not an image', huge_png(), cut_jpeg(), None]
)
def test_unreadable_image_is_named(tmp_path, content):
    path = tmp_path / 'a.png'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r'a\.png: not a readable image'):
        image_size(str(path))
