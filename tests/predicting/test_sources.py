"""What texts of a command line mean, and what the results are called."""

import os
import struct
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from custom_datasets.errors import ImageError, UserError
from custom_datasets.predicting import clips
from custom_datasets.predicting.images import read_pixels
from custom_datasets.predicting.sources import Clip, Still, open_sources
from tests.predicting.videos import (
    Camera,
    draw_image,
    draw_video,
    image_bytes,
    number_of,
    send,
    serve,
)

HANGUL = '진체/진체'  # Its bytes in UTF-8 are Korean in cp949, too.


def names(*texts):
    return [source.name for source in open_sources([str(text) for text in texts])]


def shown(source):
    """Return the number of the image that a source reads."""
    return number_of(read_pixels(source.read(), source.name))


def zipped(path, *members):
    """Write a zip of ``(name, content)`` and return its path."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return str(path)


def test_a_file_is_one_image(tmp_path):
    (source,) = open_sources([draw_image(tmp_path / 'a.png', 7)])

    assert isinstance(source, Still)
    assert (source.name, shown(source)) == ('a.png', 7)


def test_a_folder_in_natural_order_without_what_is_hidden_or_no_image(tmp_path):
    for name in ('image10.png', 'image2.png', 'b/1.jpg', 'B.png', '.hidden.png'):
        draw_image(tmp_path / name)
    draw_image(tmp_path / '.git/c.png')
    draw_image(tmp_path / '__MACOSX/c.png')
    (tmp_path / 'notes.txt').write_text('BM, as a bitmap begins')
    (tmp_path / 'tasks').write_text('P1 comes first, as in plain Netpbm')
    (tmp_path / 'labels.json').write_text('{}')

    assert names(tmp_path) == ['b/1.jpg', 'B.png', 'image2.png', 'image10.png']


def test_thousands_of_digits_are_in_order_too(tmp_path):
    longer, shorter = '1' * 5000, '2' * 4999

    path = zipped(
        tmp_path / 'a.zip',
        (f'{longer}.png', image_bytes()),
        (f'0{shorter}.png', image_bytes()),
    )

    assert names(path) == [f'0{shorter}.png', f'{longer}.png']


def test_links_that_go_in_circles_end(tmp_path):
    draw_image(tmp_path / 'in/a.png')
    (tmp_path / 'in/again').symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / 'in/once more').symlink_to(tmp_path, target_is_directory=True)

    assert names(tmp_path) == ['in/a.png']
    assert names(f'{tmp_path}/**/*.png') == ['in/a.png']


def test_images_and_videos_are_known_by_their_content(tmp_path):
    os.rename(draw_image(tmp_path / 'a.png', 3), tmp_path / 'a.png_old')
    os.rename(draw_image(tmp_path / 'a.bmp', 4), tmp_path / 'plain')
    os.rename(draw_image(tmp_path / 'a.webp', 4), tmp_path / 'w.bak')
    for suffix in ('mp4', 'avi', 'mkv'):
        os.rename(draw_video(tmp_path / f'v.{suffix}'), tmp_path / f'v{suffix}')
    (tmp_path / 'sound.wav').write_bytes(b'RIFF\0\0\0\0WAVEfmt ')
    (tmp_path / 'phone').write_bytes(b'\0\0\0\x18ftypheic')
    (tmp_path / 'song').write_bytes(b'\0\0\0\x20ftypM4A \0\0\0\0')

    found = open_sources([str(tmp_path)])

    assert [(s.name, type(s)) for s in found] == [
        ('a.png_old', Still),
        ('phone', Still),
        ('plain', Still),
        ('vavi', Clip),
        ('vmkv', Clip),
        ('vmp4', Clip),
        ('w.bak', Still),
    ]
    assert shown(found[0]) == 3


def test_a_pipe_in_a_folder_is_passed_over(tmp_path):
    draw_image(tmp_path / 'a.png')
    os.mkfifo(tmp_path / 'pipe')

    assert names(tmp_path) == ['a.png']
    (source,) = open_sources([str(tmp_path / 'pipe')])
    with pytest.raises(ImageError, match='is not a file'):
        read_pixels(source.read(), source.name)


def test_a_link_to_a_device_in_a_folder_is_passed_over(tmp_path):
    draw_image(tmp_path / 'a.png')
    for name in ('zero.png', 'zero.mp4', 'zero.gif', 'zero'):
        (tmp_path / name).symlink_to('/dev/zero')

    assert names(tmp_path) == ['a.png']
    assert names(f'{tmp_path}/**') == ['a.png']


@pytest.mark.parametrize('suffix', ['.png', '.mp4', '.gif', ''])
@pytest.mark.parametrize('kind', ['pipe', 'device'])
def test_a_pipe_or_a_device_that_is_named_is_refused_at_once(tmp_path, kind, suffix):
    path = tmp_path / f'f{suffix}'
    if kind == 'pipe':
        os.mkfifo(path)
    else:
        path.symlink_to('/dev/zero')

    for text in [str(path), *([f'{tmp_path}/?{suffix}'] if suffix else [])]:
        (source,) = open_sources([text])
        assert isinstance(source, Still)
        with pytest.raises(ImageError, match=f'f{suffix}: is not a file'):
            read_pixels(source.read(), source.name)


def test_a_gif_is_a_video_if_it_moves(tmp_path):
    still = Image.new('RGB', (64, 48))
    others = [Image.new('RGB', (64, 48), (k, k, k)) for k in (60, 120)]
    still.save(tmp_path / 'still.gif')
    still.save(
        tmp_path / 'moving.gif', save_all=True, append_images=others, duration=100
    )

    moving, one = open_sources([str(tmp_path)])

    assert isinstance(one, Still)
    assert isinstance(moving, Clip)
    assert [moment.frame for moment, _ in moving.read()] == [0, 1, 2]


def test_every_reaches_a_video_of_a_folder(tmp_path):
    draw_video(tmp_path / 'v.avi', frames=5)

    (clip,) = open_sources([str(tmp_path)], every=2)

    assert isinstance(clip, Clip)
    assert [moment.frame for moment, _ in clip.read()] == [0, 2, 4]


@pytest.mark.parametrize('name', ['broken.mp4', 'photo.heic', 'gone.jpg', 'notes.txt'])
def test_what_cannot_be_read_is_an_error_of_its_own(tmp_path, name):
    path = tmp_path / name
    if name == 'gone.jpg':
        path.symlink_to(tmp_path / 'nowhere')
    else:
        path.write_bytes(b'nothing of the kind')

    bad, good = open_sources([str(path), draw_image(tmp_path / 'a.png')])

    assert isinstance(bad, Still)
    with pytest.raises(ImageError, match=name):
        read_pixels(bad.read(), bad.name)
    assert shown(good) == 5


def test_a_phone_s_images_are_named_as_what_they_are(tmp_path):
    for name in ('IMG_1.HEIC', 'IMG_2'):
        (tmp_path / name).write_bytes(b'\0\0\0\x18ftypheic')

    for source in open_sources([str(tmp_path)]):
        with pytest.raises(ImageError, match=f'^{source.name}: is HEIC, as phones'):
            read_pixels(source.read(), source.name)
    assert names(tmp_path) == ['IMG_1.HEIC', 'IMG_2']


@pytest.mark.parametrize(
    ('pattern', 'expected'),
    [
        ('*.jpg', ['2.jpg', '10.jpg']),
        ('**/*.jpg', ['2.jpg', '10.jpg', 'in/3.jpg', 'in/deep/4.jpg']),
        ('in/**', ['3.jpg', 'deep/4.jpg', 'deep/5.png']),
        ('i?/[3-9].*', ['in/3.jpg']),
        ('i*', ['in/3.jpg', 'in/deep/4.jpg', 'in/deep/5.png']),
    ],
)
def test_globs_that_the_shell_left(tmp_path, monkeypatch, pattern, expected):
    for name in ('10.jpg', '2.jpg', 'in/3.jpg', 'in/deep/4.jpg', 'in/deep/5.png'):
        draw_image(tmp_path / name)
    draw_image(tmp_path / '.hidden/1.jpg')
    monkeypatch.chdir(tmp_path)

    assert names(pattern) == expected
    assert names(tmp_path / pattern) == expected


def test_a_file_of_the_very_name_comes_before_a_glob_and_a_camera(
    tmp_path, monkeypatch
):
    draw_image(tmp_path / '[12].png', 3)
    draw_image(tmp_path / '1.png', 4)
    draw_image(tmp_path / '0/a.png', 6)
    monkeypatch.chdir(tmp_path)

    bracket, inside = open_sources(['[12].png', '0'])

    assert (shown(bracket), shown(inside)) == (3, 6)


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        ('nope', 'nope: no such file or folder'),
        ('', "'': no such file or folder"),
        ('a\0b', r"'a\\x00b': no such file or folder"),
        ('a\0/*.png', 'no such file or folder'),
        ('http://host/a\0.png', 'no such file or folder'),
        ('http://[::1/x.png', r'^http://\[::1/x.png: is not a valid address$'),
        ('rtsp://host:99999/', '^rtsp://host:99999/: is not a valid address$'),
        (
            'rtsp://me:se/cret@host/a?key=b',
            '^rtsp://host/a: is not a valid address; in a password, write / ',
        ),
        ('zips', 'zips: holds neither .* video; to read its 1 zip, name them'),
        ('x*.jpg', r'x\*.jpg: no file matches'),
        ('nope/**/*.jpg', r'nope/\*\*/\*.jpg: no file matches'),
        ('*.txt', r'\*.txt: holds neither an image nor a video'),
        ('empty', 'empty: holds neither an image nor a video'),
        ('ftp://host/a.jpg', 'no such file or folder'),
        ('broken.zip', 'broken.zip: the zip is damaged or incomplete'),
        ('texts.zip', 'texts.zip: holds no image'),
    ],
)
def test_a_text_that_means_nothing_is_one_sentence(
    tmp_path, monkeypatch, text, sentence
):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'zips').mkdir()
    zipped(tmp_path / 'zips/a.zip', ('a.png', image_bytes()))
    (tmp_path / 'notes.txt').write_text('text')
    (tmp_path / 'broken.zip').write_bytes(b'PK\3\4')
    zipped(tmp_path / 'texts.zip', ('a.txt', 'text'))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UserError, match=sentence):
        open_sources([text])


def test_names_say_which_folder_and_one_file_is_there_once(tmp_path):
    monday = draw_image(tmp_path / 'monday/a.png', 1)
    draw_image(tmp_path / 'tuesday/pictures/a.png', 2)
    texts = [str(tmp_path / 'tuesday/pictures'), monday, str(tmp_path / 'monday')]

    both = open_sources(texts)

    assert [(source.name, shown(source)) for source in both] == [
        ('tuesday/pictures/a.png', 2),
        ('monday/a.png', 1),
    ]
    assert names(texts[0]) == names(texts[2]) == ['a.png']


def test_a_name_that_is_not_utf8_can_be_printed(tmp_path):
    path = os.fsencode(tmp_path) + b'/\xff.png'
    Path(os.fsdecode(path)).write_bytes(image_bytes(4))

    (source,) = open_sources([str(tmp_path)])

    assert source.name.encode() == b'\\udcff.png'
    assert shown(source) == 4


def test_a_zip_in_natural_order(tmp_path):
    path = zipped(
        tmp_path / 'a.zip',
        ('b10.png', image_bytes(1)),
        ('b9.png', image_bytes(2)),
        ('notes.txt', b'BM, as a bitmap begins'),
        ('in/odd', image_bytes(3)),
        ('__MACOSX/b9.png', b''),
        ('.hidden.png', b''),
    )

    found = open_sources([path])

    assert [(s.name, shown(s)) for s in found] == [
        ('b9.png', 2),
        ('b10.png', 1),
        ('in/odd', 3),
    ]
    assert names(path, draw_image(tmp_path / 'b9.png')) == [
        'a.zip/b9.png',
        'a.zip/b10.png',
        'a.zip/in/odd',
        'b9.png',
    ]


def test_a_zip_in_a_folder_is_named_unless_it_is_a_source_too(tmp_path):
    draw_image(tmp_path / 'photos/a.png')
    for name in ('b.zip', 'c.ZIP'):
        zipped(tmp_path / 'photos' / name, ('a.png', image_bytes()))
    folder, b = str(tmp_path / 'photos'), str(tmp_path / 'photos/b.zip')
    c = str(tmp_path / 'photos/c.ZIP')
    for texts, said in (
        ([folder], [f'2 zips not opened: {b}, {c}; to predict on what a zip in a fol']),
        ([folder, b], [f'1 zip not opened: {c}; ']),
        ([folder, f'{folder}/*.[zZ]*'], []),
        ([str(tmp_path / '*')], [f'2 zips not opened: {b}, {c}; ']),
    ):
        notes = []
        open_sources(texts, note=notes.append)
        assert len(notes) == len(said)
        assert all(map(str.startswith, notes, said))


def test_a_glob_takes_zips(tmp_path):
    for name in ('1', '2'):
        zipped(tmp_path / f'{name}.zip', (f'{name}.png', image_bytes()))
        draw_image(tmp_path / f'{name}.png')

    assert names(tmp_path / '?.zip') == ['1.zip/1.png', '2.zip/2.png']


@pytest.mark.parametrize('encoding', ['utf-8', 'cp949', 'flagged'])
def test_korean_names_in_a_zip(tmp_path, encoding):
    name = HANGUL
    if encoding != 'flagged':
        # Of as many bytes in ASCII, which are then written over.
        raw = HANGUL.encode(encoding)
        name = 'x' * len(raw)
    path = Path(zipped(tmp_path / 'a.zip', ('a.png', b''), (name + '.png', b'')))
    if encoding != 'flagged':
        path.write_bytes(path.read_bytes().replace(name.encode(), raw))

    assert names(path)[1] == HANGUL + '.png'


def test_western_names_in_a_zip_are_no_korean(tmp_path):
    # In cp949 each é and the letter behind it are a syllable, if a rare one.
    raw = 'résumés.png'.encode('cp437')
    path = Path(zipped(tmp_path / 'a.zip', ('x' * len(raw), image_bytes())))
    path.write_bytes(path.read_bytes().replace(b'x' * len(raw), raw))

    assert names(path) == ['résumés.png']


def test_a_name_that_says_it_is_utf8_is_taken_at_its_word(tmp_path):
    name = '├⌐.png'  # é, if it were bytes of cp437.

    assert names(zipped(tmp_path / 'a.zip', (name, image_bytes()))) == [name]


def test_names_that_are_one_on_some_systems_stay_apart(tmp_path):
    composed, apart = '\xe9.png', 'e\u0301.png'
    path = zipped(tmp_path / 'a.zip', (apart, b''), (composed, b''))

    assert names(path) == [apart, '\xe9-2.png']


def test_members_that_lead_out_of_a_zip_or_share_a_name_stay_apart(tmp_path):
    with pytest.warns(UserWarning, match='Duplicate name'):
        path = zipped(
            tmp_path / 'a.zip',
            ('../../a.png', image_bytes(1)),
            ('/a.png', image_bytes(2)),  # First in natural order.
            ('A.PNG', image_bytes(3)),
            ('C:/a.png', image_bytes(4)),
            ('C:/a.png', image_bytes(5)),
        )

    found = {source.name: shown(source) for source in open_sources([path])}

    assert found == {
        'a.png': 2,
        'a-2.png': 1,
        'A-3.PNG': 3,
        'C/a.png': 4,
        'C/a-2.png': 5,
    }


def test_a_bad_member_of_a_zip_is_an_error_of_its_own(tmp_path):
    content = image_bytes(7)
    path = Path(
        zipped(
            tmp_path / 'a.zip',
            ('bomb.png', bytes(20 << 20)),
            ('clip.mp4', b''),
            ('damaged.png', content),
            ('encrypted', content),
            ('encrypted.png', content),
            ('good.png', content),
            ('strange.png', content),
        )
    )
    data = bytearray(path.read_bytes())
    for name, offset, value in (
        (b'damaged.png', -20, 0xFFFFFFFF),  # The sum of the central directory's entry
        (b'encrypted.png', -38, 1),  # its flags
        (b'encrypted', -38, 1),
        (b'strange.png', -36, 77),  # and its method.
    ):
        # The directory is at the end, in which one name begins another.
        at = data.index(name, data.index(b'PK\1\2'))
        code = '<I' if offset == -20 else '<H'
        at += -30 if offset == -20 else offset
        struct.pack_into(code, data, at, value)
    path.write_bytes(data)

    problems = {}
    for source in open_sources([str(path)]):
        try:
            problems[source.name] = shown(source)
        except ImageError as error:
            problems[source.name] = str(error)

    assert problems.pop('good.png') == 7
    expected = {
        'bomb.png': 'to 20,971,520 bytes; too large',
        'clip.mp4': 'is a video in a zip',
        'damaged.png': 'is damaged in the zip',
        'encrypted.png': 'is encrypted',
        'strange.png': 'is damaged in the zip',
    }
    assert problems.keys() == expected.keys()
    for name, problem in expected.items():
        assert problems[name].startswith(f'{path}/{name}: ')
        assert problem in problems[name]


@pytest.mark.parametrize('method', ['STORED', 'DEFLATED', 'BZIP2', 'LZMA'])
def test_a_damaged_member_is_an_error_of_its_own_by_any_method(tmp_path, method):
    path, inside = tmp_path / 'a.zip', image_bytes() * 50
    with zipfile.ZipFile(path, 'w', getattr(zipfile, f'ZIP_{method}')) as archive:
        archive.writestr('a.png', inside)
        archive.writestr('odd', inside)
    data = bytearray(path.read_bytes())
    for info in archive.infolist():
        start = info.header_offset + 30 + len(info.filename)
        data[start : start + 80] = b'\xa5' * 80
    path.write_bytes(data)

    found = open_sources([str(path)])

    assert [source.name for source in found] == ['a.png']
    with pytest.raises(ImageError, match=r'a\.zip/a\.png: (is damaged|cannot be read)'):
        found[0].read()


@pytest.mark.parametrize('name', ['größe.png', 'größe'])
@pytest.mark.parametrize('kind', ['local name', 'version', 'name', 'disks'])
def test_a_zip_that_python_cannot_list_is_one_sentence(tmp_path, kind, name):
    path = Path(zipped(tmp_path / 'a.zip', (name, b''), ('a.png', image_bytes(3))))
    data = bytearray(path.read_bytes())
    directory = data.index(b'PK\1\2')
    if kind == 'version':
        data[directory + 6] = 255
    elif kind == 'disks':
        end = data.index(b'PK\5\6')
        data[end:end] = b'PK\6\7' + struct.pack('<IQI', 0, 0, 2)
    else:
        at = data.index(b'\xc3\xb6', directory if kind == 'name' else 0)
        data[at : at + 2] = b'\xff\xff'
    path.write_bytes(data)

    if kind == 'local name':
        found = {source.name: source for source in open_sources([str(path)])}
        assert shown(found.pop('a.png')) == 3
        assert list(found) == ['größe.png'] * name.endswith('.png')
        for source in found.values():
            with pytest.raises(ImageError, match=r'größe\.png: is damaged in the zip'):
                source.read()
    else:
        with pytest.raises(UserError, match=r'^\S+/a\.zip: the zip cannot be read \('):
            open_sources([str(path)])


def test_an_image_of_a_zip_is_placed_in_it(tmp_path, monkeypatch):
    zipped(tmp_path / 'a.zip', ('../b/empty.jpg', b''))
    draw_image(tmp_path / 'c.png')
    monkeypatch.chdir(tmp_path)

    inside, beside = open_sources(['a.zip', 'c.png'])

    assert (inside.name, inside.place) == ('a.zip/b/empty.jpg', 'a.zip/b/empty.jpg')
    assert beside.place == str(tmp_path / 'c.png')
    (alone,) = open_sources(['a.zip'])
    assert (alone.name, alone.place) == ('b/empty.jpg', 'a.zip/b/empty.jpg')


def test_a_zip_that_goes_away_is_an_error_of_its_images(tmp_path, monkeypatch):
    path = zipped(tmp_path / 'a.zip', ('a.png', image_bytes()))
    (source,) = open_sources([path])
    os.truncate(path, 20)

    with pytest.raises(ImageError, match=r'a\.png'):
        source.read()


def test_a_camera_s_number(monkeypatch):
    opened = []

    def open_capture(address):
        opened.append(address)
        return Camera()

    monkeypatch.setattr(clips, 'open_capture', open_capture)

    (clip,) = open_sources(['12'], every=3)

    assert isinstance(clip, Clip)
    assert (opened, clip.name, clip.live, clip.every) == ([12], 'camera-12', True, 3)


def test_a_link_to_a_camera(monkeypatch, tmp_path):
    """As those in /dev/v4l, which may be named twice and lead to one camera."""
    opened = []

    def open_capture(address):
        opened.append(address)
        return Camera()

    monkeypatch.setattr(clips, 'open_capture', open_capture)
    link = tmp_path / 'usb-046d_HD_Pro_Webcam-video-index0'
    link.symlink_to('/dev/video123')
    (clip,) = open_sources([str(link), '123', '/dev/video123'])
    assert (opened, clip.name) == ([123], 'camera-123')
    number = tmp_path / '7'
    number.symlink_to(draw_image(tmp_path / 'a.png'))
    assert names(number) == ['7']


def test_no_such_camera_is_one_sentence(capfd):
    with pytest.raises(UserError, match=r'^99: no such camera'):
        open_sources(['99'])

    assert capfd.readouterr() == ('', '')


def test_an_image_at_an_address(monkeypatch):
    asked = []

    def answer(handler):
        asked.append(handler.headers['Authorization'])
        if handler.path.startswith('/page'):
            send(handler, 'text/html', b'<p>')
        elif handler.path.startswith('/in/photo'):
            send(handler, 'image/png', image_bytes(9))
        else:
            handler.send_error(404)

    with serve(answer) as address:
        host = address.removeprefix('http://')
        texts = [f'http://me:secret@{host}/in/photo.png?size=2']
        texts += [f'{address}/{name}.png' for name in ('page', 'gone')]
        photo, page, gone = open_sources(texts)

        assert photo.name == f'{host}-in-photo.png'.replace(':', '-')
        assert shown(photo) == 9
        assert asked == ['Basic bWU6c2VjcmV0']
        with pytest.raises(ImageError, match='is text/html and not an image'):
            page.read()
        with pytest.raises(ImageError, match=f'^{address}/gone.png: cannot be fetched'):
            gone.read()
        assert (photo.place, gone.place) == (
            f'{address}/in/photo.png',
            f'{address}/gone.png',
        )
    with pytest.raises(ImageError, match='cannot be fetched'):
        photo.read()
