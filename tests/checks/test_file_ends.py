"""Both ends of image files."""

import io

import pytest
from PIL import Image

from custom_datasets.checks.images import TAIL, look_at_ends


def encoded(kind):
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 40).convert('RGB').save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'BMP', 'TIFF', 'WEBP', 'GIF', 'PPM'])
def test_whole_files_of_all_kinds(tmp_path, kind):
    (tmp_path / 'a').write_bytes(encoded(kind))
    assert look_at_ends(str(tmp_path / 'a')) is None


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_bytes_behind_the_end_do_not_matter(tmp_path, kind):
    (tmp_path / 'a').write_bytes(encoded(kind) + b'maker notes' * 1000)
    assert look_at_ends(str(tmp_path / 'a')) is None


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
@pytest.mark.parametrize('left', [0.5, 0.99])
def test_cut_off(tmp_path, kind, left):
    data = encoded(kind)
    (tmp_path / 'a').write_bytes(data[: int(len(data) * left) - 8])
    assert look_at_ends(str(tmp_path / 'a')) == ('truncated-image', 'is cut off')


@pytest.mark.parametrize(
    ('data', 'message'),
    [(b'', 'is empty'), (b'version https://git-lfs', 'is not of any kind of image')],
)
def test_no_image(tmp_path, data, message):
    (tmp_path / 'a.jpg').write_bytes(data)
    assert look_at_ends(str(tmp_path / 'a.jpg')) == ('undecodable-image', message)


def test_an_end_far_in_front_is_none(tmp_path):
    (tmp_path / 'a').write_bytes(b'\xff\xd8\xff\xd9' + b'\0' * TAIL)
    assert look_at_ends(str(tmp_path / 'a')) == ('truncated-image', 'is cut off')


def test_what_cannot_be_read(tmp_path):
    code, message = look_at_ends(str(tmp_path / 'none'))
    assert (code, message) == (
        'undecodable-image',
        'cannot be read (No such file or directory)',
    )
