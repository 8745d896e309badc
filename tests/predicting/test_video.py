"""Writing painted videos, and their sound."""

import json
import os
import subprocess
import sys

import cv2
import pytest

from custom_datasets.errors import ImageError, UserError
from custom_datasets.predicting.video import VideoWriter, copy_sound
from tests.predicting.videos import SIZE, frame, read_video


def write(path, numbers, fps=10, size=SIZE):
    with VideoWriter(str(path), fps, size) as writer:
        for number in numbers:
            writer.write(frame(number, size))


def only(folder):
    """Return the one file of a folder."""
    (path,) = folder.iterdir()
    return path


@pytest.mark.parametrize('fps', [29.97, 30000 / 1001, 0.5, 66.66667, 29.97 / 7, 240])
def test_a_video_keeps_frames_size_and_rate(tmp_path, capfd, fps):
    path = tmp_path / 'in' / 'a.mp4'

    write(path, range(10), fps)

    assert read_video(path) == (SIZE, pytest.approx(fps, rel=5e-4), list(range(10)))
    assert only(path.parent) == path
    assert path.stat().st_mode & 0o777 == 0o644
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('size', [(63, 47), (64, 47), (63, 48), (17, 1)])
def test_nothing_is_cut_from_an_odd_size(tmp_path, size):
    path = tmp_path / 'a.mp4'
    pixels = frame(2, size)
    pixels[-1] = pixels[:, -1] = 200

    with VideoWriter(str(path), 10, size) as writer:
        writer.write(pixels)

    width, height = size
    capture = cv2.VideoCapture(str(path))
    _, got = capture.read()
    assert got.shape[:2] == (height + height % 2, width + width % 2)
    assert got[height - 1 :, : width - 2].min() > 150
    assert got[:, width - 1 :].min() > 150


def test_a_frame_of_another_size_is_scaled(tmp_path):
    path = tmp_path / 'a.mp4'

    with VideoWriter(str(path), 10, SIZE) as writer:
        writer.write(frame(1))
        writer.write(frame(2, (100, 30)))

    assert read_video(path) == (SIZE, 10, [1, 2])


@pytest.mark.parametrize(
    ('size', 'fitting'), [((9000, 100), (8190, 91)), ((2, 20000), (1, 8190))]
)
def test_a_video_larger_than_mpeg_4_has_is_scaled_and_said(tmp_path, size, fitting):
    path = tmp_path / 'a.mp4'

    with VideoWriter(str(path), 10, size) as writer:
        writer.write(frame(3, size))

    even = tuple(side + side % 2 for side in fitting)
    assert read_video(path) == (even, 10, [3])
    said = f'{path}: scaled from {size[0]} x {size[1]} to {fitting[0]} x {fitting[1]} '
    assert writer.note.startswith(said)
    assert VideoWriter(str(path), 10, (8190, 8190)).note == ''


def test_one_frame_a_day_is_written(tmp_path):
    write(tmp_path / 'a.mp4', [1, 2], fps=1 / 86400)

    assert read_video(tmp_path / 'a.mp4')[2] == [1, 2]


def test_dropped_frames_are_filled_with_those_before(tmp_path):
    path = tmp_path / 'a.mp4'

    with VideoWriter(str(path), 10, SIZE) as writer:
        for number, place in ((1, 0), (2, 1), (7, 4), (8, 5)):
            writer.write(frame(number), place)

    assert read_video(path)[2] == [1, 2, 2, 2, 7, 8]


@pytest.mark.parametrize('error', [KeyboardInterrupt, ImageError('a', 'is cut off')])
def test_what_was_written_before_an_interruption_plays(tmp_path, error):
    path = tmp_path / 'a.mp4'

    with pytest.raises((KeyboardInterrupt, ImageError)):
        with VideoWriter(str(path), 10, SIZE) as writer:
            for number in range(4):
                writer.write(frame(number))
            raise error

    assert read_video(path)[2] == [0, 1, 2, 3]
    assert only(tmp_path) == path


@pytest.mark.parametrize('frames', [0, 3])
def test_an_old_video_survives_an_error_and_a_video_without_frames(tmp_path, frames):
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'old')

    with pytest.raises(RuntimeError if frames else KeyboardInterrupt):
        with VideoWriter(str(path), 10, SIZE) as writer:
            for number in range(frames):
                writer.write(frame(number))
            raise RuntimeError if frames else KeyboardInterrupt

    assert only(tmp_path).read_bytes() == b'old'


def test_opencv_says_nothing_about_codecs_that_it_lacks(tmp_path):
    # In a process of its own, since nothing makes OpenCV speak again.
    code = f"""
from custom_datasets.predicting.video import VideoWriter
with VideoWriter({str(tmp_path / 'a.mp4')!r}, 10, (64, 48)):
    pass
"""

    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_nothing_is_there_before_the_end(tmp_path):
    path = tmp_path / 'a.mp4'

    with VideoWriter(str(path), 10, SIZE) as writer:
        writer.write(frame(1))
        assert not path.exists()


def test_a_disk_that_is_full_is_said(tmp_path, monkeypatch):
    path = tmp_path / 'a.mp4'

    class Full:
        """Loses its last bytes, as OpenCV does without a word."""

        def __init__(self, work, *rest):
            self.work, self.video = work, writer_of_opencv(work, *rest)
            self.isOpened, self.write = self.video.isOpened, self.video.write

        fourcc = cv2.VideoWriter.fourcc

        def release(self):
            self.video.release()
            os.truncate(self.work, os.path.getsize(self.work) - 100)

    writer_of_opencv = cv2.VideoWriter
    monkeypatch.setattr(cv2, 'VideoWriter', Full)

    with pytest.raises(UserError, match=r'a\.mp4: only 0 of 3 frames .* disk full'):
        write(path, range(3))

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('kind', ['folder', 'file above', 'size'])
def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path, capfd, kind):
    path, size = tmp_path / 'in' / 'a.mp4', SIZE
    if kind == 'folder':
        path.mkdir(parents=True)
    elif kind == 'file above':
        path.parent.touch()
    else:
        path.parent.mkdir()
        size = (0, 0)

    with pytest.raises(
        UserError, match=r'a\.mp4: .*(cannot be written|cannot write)'
    ) as caught:
        with VideoWriter(str(path), 10, size):
            pytest.fail('not said before there are frames')

    # A job goes on with the next video.
    assert isinstance(caught.value, ImageError) == (kind == 'size')
    assert capfd.readouterr() == ('', '')
    assert list(path.parent.glob('.*')) == []


def test_a_folder_whose_name_is_not_utf8_is_refused(tmp_path):
    with pytest.raises(UserError, match='not a name in UTF-8'):
        write(tmp_path / '\udcff' / 'a.mp4', [1])

    assert not list(tmp_path.iterdir())


@pytest.fixture
def fake_ffmpeg(tmp_path, monkeypatch):
    """Return a function that puts lines of Python onto the path as ``ffmpeg``.

    They have the arguments as ``given``, which are logged.
    """
    folder = tmp_path / 'bin'
    folder.mkdir()
    monkeypatch.setenv('PATH', str(folder))

    def write(*lines):
        path = folder / 'ffmpeg'
        head = [f'#!{sys.executable}', 'import json, sys', 'given = sys.argv[1:]']
        log = f'print(json.dumps(given), file=open({str(tmp_path / "log")!r}, "a"))'
        path.write_text('\n'.join([*head, log, *lines]))
        path.chmod(0o755)

    return write


@pytest.fixture
def painted(tmp_path):
    path = tmp_path / 'out' / 'a.mp4'
    write(path, range(6), fps=4)
    return path


def calls(tmp_path):
    return [json.loads(line) for line in (tmp_path / 'log').read_text().splitlines()]


def test_sound_is_copied_up_to_the_end_of_what_was_painted(
    tmp_path, fake_ffmpeg, painted
):
    fake_ffmpeg('open(given[-1].removeprefix("file:"), "w").write("with sound")')

    assert copy_sound('-i.mov', str(painted)) == ''

    (call,) = calls(tmp_path)
    work = call.pop()
    assert work.startswith(f'file:{painted.parent}/.')
    assert work.endswith('.mp4')
    assert call[call.index('-i') :] == [
        *('-i', f'file:{painted}', '-t', '1.500', '-i', f'file:{os.getcwd()}/-i.mov'),
        *('-map', '0:v', '-map', '1:a?', '-c:v', 'copy', '-c:a', 'copy'),
    ]
    assert '-nostdin' in call
    assert only(painted.parent).read_text() == 'with sound'


def test_sound_that_mp4_does_not_take_is_encoded(tmp_path, fake_ffmpeg, painted):
    fake_ffmpeg(
        'if given[-2] == "copy": sys.exit(1)',
        'open(given[-1].removeprefix("file:"), "w").write("encoded")',
    )

    assert copy_sound('a.avi', str(painted)) == ''

    assert [call[-2] for call in calls(tmp_path)] == ['copy', 'aac']
    assert only(painted.parent).read_text() == 'encoded'


@pytest.mark.parametrize(
    ('line', 'why'),
    [
        ('sys.exit("first\\nthe reason")', 'ffmpeg failed (the reason)'),
        ('sys.exit(3)', 'ffmpeg failed (exit status 3)'),
        (None, 'ffmpeg is not installed'),
    ],
)
def test_a_video_without_its_sound_is_said(tmp_path, fake_ffmpeg, painted, line, why):
    if line:
        fake_ffmpeg(line)
    content = painted.read_bytes()

    sentence = copy_sound('a.avi', str(painted))

    assert sentence == f'{painted}: without sound, since {why}'
    assert only(painted.parent).read_bytes() == content
