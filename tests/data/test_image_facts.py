import io
import json
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from custom_datasets.data import decode as decoding
from custom_datasets.data import image_facts
from custom_datasets.data.image_facts import pack_facts, read_image_facts, unpack_facts
from custom_datasets.errors import UserError


def picture(width=120, height=80, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(kind='JPEG', mode='RGB', **options):
    buffer = io.BytesIO()
    Image.fromarray(picture()).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def facts_of(tmp_path, data, name='a.jpg'):
    (tmp_path / name).write_bytes(data)
    return read_image_facts(str(tmp_path / name))


def orientation(number):
    table = Image.Exif()
    table[274] = number
    return table


def cut(data):
    return data[: len(data) * 2 // 3]


def hole(data, size=200):
    middle = len(data) // 2
    return data[:middle] + bytes(size) + data[middle + size :]


def removed(data, size=200):
    middle = len(data) // 2
    return data[:middle] + data[middle + size :]


@pytest.mark.parametrize(
    'harm',
    [
        cut,
        lambda data: cut(data) + b'\xff\xd9',
        hole,
        removed,
        lambda data: data[:-2],
        lambda data: data[:-10],
    ],
)
@pytest.mark.parametrize('progressive', [False, True])
def test_a_damaged_jpeg_decodes_in_part(tmp_path, harm, progressive):
    data = encoded(progressive=progressive, quality=95)
    facts = facts_of(tmp_path, harm(data))
    assert facts.decodes == 'part'
    assert 'OpenCV' in facts.problem
    assert facts.size == (120, 80)


@pytest.mark.parametrize('kind', ['PNG', 'BMP', 'TIFF', 'GIF'])
def test_other_formats_that_are_cut_off_decode_in_part(tmp_path, kind):
    facts = facts_of(tmp_path, cut(encoded(kind)), 'a.png')
    assert facts.decodes == 'part'
    assert 'is damaged' in facts.problem
    assert facts.format == kind


def test_a_png_with_a_wrong_byte_decodes_in_part(tmp_path):
    assert facts_of(tmp_path, hole(encoded('PNG'), 3), 'a.png').decodes == 'part'


@pytest.mark.parametrize(
    ('data', 'problem'),
    [
        (b'', 'is empty'),
        (b'not an image', 'is not an image, whatever its name says'),
        (b'\0\0\0\x18ftypheic', 'is HEIC, as phones write it, which is not decoded'),
        (b'<html></html>', 'is not an image'),
        (b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'),
        (b'\xff\xd8\xff', 'begins like a JPEG file, but is cut off'),
        (encoded()[:100], 'begins like a JPEG file, but is cut off'),
        (b'\x89PNG\r\n\x1a\n', 'begins like a PNG file'),
        (cut(encoded('WEBP')), 'begins like a WEBP file'),
    ],
)
def test_what_does_not_decode_at_all(tmp_path, data, problem):
    facts = facts_of(tmp_path, data)
    assert facts.decodes == 'nothing'
    assert problem in facts.problem
    assert facts.size is None
    assert not facts.pixels
    assert facts.digest


@pytest.mark.parametrize(
    ('data', 'kind', 'mode'),
    [
        (encoded(), 'JPEG', 'RGB'),
        (encoded(progressive=True), 'JPEG', 'RGB'),
        (encoded(mode='L'), 'JPEG', 'L'),
        (encoded(mode='CMYK'), 'JPEG', 'CMYK'),
        (encoded() + b'a trailer of the camera', 'JPEG', 'RGB'),
        (encoded('PNG'), 'PNG', 'RGB'),
        (encoded('PNG', 'P'), 'PNG', 'P'),
        (encoded('PNG', '1'), 'PNG', '1'),
        (encoded('PNG', 'LA'), 'PNG', 'LA'),
        (encoded('BMP'), 'BMP', 'RGB'),
        (encoded('TIFF'), 'TIFF', 'RGB'),
        (encoded('WEBP'), 'WEBP', 'RGB'),
        (encoded('PPM'), 'PPM', 'RGB'),
    ],
)
def test_what_decodes_wholly(tmp_path, data, kind, mode):
    facts = facts_of(tmp_path, data)
    assert (facts.decodes, facts.problem) == ('whole', '')
    assert (facts.format, facts.mode) == (kind, mode)
    assert facts.size == facts.stored == (120, 80)
    assert len(facts.thumbnail) == 32 * 32
    assert len(facts.colour) == 8 * 8 * 2


def test_a_jpeg_of_a_rare_kind_is_left_to_pillow(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise KeyError(-1)

    monkeypatch.setattr(decoding.simplejpeg, 'decode_jpeg_header', refuse)
    assert facts_of(tmp_path, encoded()).decodes == 'whole'
    assert facts_of(tmp_path, cut(encoded())).decodes == 'part'


@pytest.mark.parametrize('number', range(1, 9))
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
def test_pixels_and_size_are_what_opencv_loads(tmp_path, kind, number):
    data = encoded(kind, exif=orientation(number))
    facts = facts_of(tmp_path, data)
    loaded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert facts.size == loaded.shape[1::-1]
    if kind != 'TIFF':  # Pillow gives the size that it would turn it to.
        assert facts.stored == (120, 80)
    upright = facts_of(tmp_path, cv2.imencode('.png', loaded)[1].tobytes())
    assert facts.pixels == upright.pixels
    assert facts.thumbnail == upright.thumbnail
    if kind == 'JPEG':
        assert facts.orientation == number


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_broken_exif_is_ignored(tmp_path, kind):
    facts = facts_of(tmp_path, encoded(kind, exif=b'Exif\0\0garbage garbage'))
    assert (facts.decodes, facts.orientation) == ('whole', 1)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
@pytest.mark.parametrize('suffix', ['.png', '.tiff'])
@pytest.mark.parametrize('bands', [1, 3])
def test_bits(tmp_path, dtype, suffix, bands):
    pixels = picture()[..., :bands].astype(dtype)
    facts = facts_of(tmp_path, cv2.imencode(suffix, pixels)[1].tobytes())
    assert facts.bits == 8 * np.dtype(dtype).itemsize
    assert facts.size == (120, 80)


@pytest.mark.parametrize(
    ('count', 'value', 'alpha'),
    [
        (0, 0, 'opaque'),
        (96, 0, 'opaque'),
        (97, 0, 'used'),
        (960, 249, 'used'),
        (960, 250, 'opaque'),
    ],
)
def test_alpha(tmp_path, count, value, alpha):
    opacity = np.full(80 * 120, 255, np.uint8)
    opacity[:count] = value
    pixels = np.dstack([picture(), opacity.reshape(80, 120)])
    facts = facts_of(tmp_path, cv2.imencode('.png', pixels)[1].tobytes())
    assert facts.alpha == alpha


def test_alpha_of_a_palette(tmp_path):
    assert facts_of(tmp_path, encoded('PNG', 'P', transparency=0)).alpha == 'opaque'
    buffer = io.BytesIO()
    Image.new('P', (9, 9)).save(buffer, 'PNG', transparency=0)
    assert facts_of(tmp_path, buffer.getvalue()).alpha == 'used'


def test_gray_is_seen_in_three_bands_and_in_one(tmp_path):
    gray = cv2.cvtColor(picture(), cv2.COLOR_BGR2GRAY)
    for pixels in (gray, cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)):
        for suffix in ('.png', '.jpg'):
            data = cv2.imencode(suffix, pixels)[1].tobytes()
            assert facts_of(tmp_path, data).gray
    pixels[30:40, 30:40, 2] = 255
    assert not facts_of(tmp_path, cv2.imencode('.png', pixels)[1].tobytes()).gray


def test_frames(tmp_path):
    frames = [Image.fromarray(picture(seed=seed)) for seed in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, 'TIFF', save_all=True, append_images=frames[1:])
    assert facts_of(tmp_path, buffer.getvalue()).frames == 3
    assert facts_of(tmp_path, encoded('TIFF')).frames == 1


def huge_png(side):
    def chunk(kind, data):
        check = struct.pack('>I', zlib.crc32(kind + data))
        return struct.pack('>I', len(data)) + kind + data + check

    head = struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', b'')


def test_a_bomb_is_not_decoded(tmp_path):
    for side in (10_000, 32_000, 40_000):
        facts = facts_of(tmp_path, huge_png(side))
        assert (facts.decodes, facts.stored) == ('unknown', (side, side))


def test_large_images_are_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, 'MAX_PIXELS', 120 * 80 - 1)
    for kind in ('JPEG', 'PNG'):
        facts = facts_of(tmp_path, encoded(kind))
        assert (facts.decodes, facts.stored) == ('unknown', (120, 80))
        assert facts.size is None


def test_digests(tmp_path):
    first = facts_of(tmp_path, encoded('PNG'))
    assert facts_of(tmp_path, encoded('PNG'), 'b.png') == first
    stored = facts_of(tmp_path, encoded('BMP'))
    assert stored.pixels == first.pixels
    assert stored.digest != first.digest
    pixels = picture()
    pixels[7, 8, 1] ^= 1
    changed = facts_of(tmp_path, cv2.imencode('.png', pixels[..., ::-1])[1].tobytes())
    assert changed.pixels != first.pixels


def test_a_jpeg_has_the_pixels_of_its_decoded_copy(tmp_path):
    data = encoded(quality=70)
    loaded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    copy = cv2.imencode('.png', loaded)[1].tobytes()
    assert facts_of(tmp_path, data).pixels == facts_of(tmp_path, copy).pixels


def test_measures_do_not_depend_on_the_size_of_the_image(tmp_path):
    large = cv2.resize(picture(160, 120), (1280, 960), interpolation=cv2.INTER_CUBIC)
    found = []
    for times in (1, 0.63, 0.5, 0.25):
        image = cv2.resize(large, None, fx=times, fy=times, interpolation=3)
        found.append(facts_of(tmp_path, cv2.imencode('.png', image)[1].tobytes()))
    for facts in found[1:]:
        for name in ('mean', 'contrast', 'shadow', 'light', 'detail'):
            expected = getattr(found[0], name)
            assert getattr(facts, name) == pytest.approx(expected, rel=0.1), name


def test_measures_of_a_known_image(tmp_path):
    image = np.full((100, 100, 3), 50, np.uint8)
    image[:10] = 250
    facts = facts_of(tmp_path, cv2.imencode('.png', image)[1].tobytes())
    assert facts.mean == pytest.approx(70)
    assert facts.contrast == pytest.approx(60)
    assert (facts.shadow, facts.light) == (50, 250)


@pytest.mark.parametrize('shape', [(1, 1), (1, 3000), (3000, 1), (3, 700)])
def test_odd_shapes(tmp_path, shape):
    image = np.full((*shape, 3), 50, np.uint8)
    facts = facts_of(tmp_path, cv2.imencode('.png', image)[1].tobytes())
    assert facts.size == shape[::-1]
    assert len(facts.thumbnail) == 32 * 32


def test_facts_go_through_json(tmp_path):
    for data in (encoded(exif=orientation(6)), encoded()[:200], b'', huge_png(10_000)):
        facts = facts_of(tmp_path, data)
        assert unpack_facts(json.loads(json.dumps(pack_facts(facts)))) == facts


@pytest.mark.parametrize('values', [[], [1], None, ['a'] * 40])
def test_other_values_are_no_facts(values):
    with pytest.raises((ValueError, TypeError)):
        unpack_facts(values)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r'^cannot be read \(No such file'):
        read_image_facts(str(tmp_path / 'none.jpg'))
    with pytest.raises(UserError, match='is not a file'):
        read_image_facts(str(tmp_path))


def test_the_version_names_the_decoder():
    assert cv2.__version__ in image_facts.VERSION


def test_black_padding_is_no_part_of_what_is_compared(tmp_path):
    pixels = np.asarray(picture())
    padded = cv2.copyMakeBorder(pixels, 40, 0, 10, 30, cv2.BORDER_CONSTANT)
    one, other = (
        facts_of(tmp_path, cv2.imencode('.png', image)[1].tobytes(), f'{index}.png')
        for index, image in enumerate((pixels, padded))
    )
    assert one.thumbnail == other.thumbnail
    assert one.colour == other.colour
    assert one.pixels != other.pixels


def test_of_a_sliver_in_black_nothing_is_compared(tmp_path):
    pixels = cv2.copyMakeBorder(
        np.asarray(picture(90, 12)), 40, 40, 0, 0, cv2.BORDER_CONSTANT
    )
    facts = facts_of(tmp_path, cv2.imencode('.png', pixels)[1].tobytes(), 'a.png')
    assert not facts.compared
    assert len(facts.thumbnail) == 32 * 32
