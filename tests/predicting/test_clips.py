"""Reading videos, cameras and streams."""

import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from cv2 import CAP_PROP_POS_MSEC

from custom_datasets.errors import ImageError, UserError
from custom_datasets.predicting import clips
from custom_datasets.predicting.clips import open_clip
from custom_datasets.predicting.sources import open_sources
from tests.predicting.videos import (
    SIZE,
    Camera,
    draw_video,
    number_of,
    send_mjpeg,
    serve,
)


def read(clip):
    """Return the numbers of the frames that are read, as told and as drawn."""
    frames = list(clip.read())
    told = [moment.frame for moment, _ in frames]
    return told, [number_of(pixels) for _, pixels in frames]


def read_until_error(clip):
    """Return the numbers of the frames before an ImageError, and its sentence."""
    numbers = []
    with pytest.raises(ImageError) as caught:
        for moment, _ in clip.read():
            numbers.append(moment.frame)
    return numbers, str(caught.value)


@pytest.fixture
def plug_in(monkeypatch):
    """Return a function that puts captures in place of OpenCV's, one after the other.

    A clip opens its source twice: to look, and to read.
    """

    def plug_in(*captures):
        waiting = iter(captures)
        monkeypatch.setattr(clips, 'open_capture', lambda _: next(waiting))

    return plug_in


@pytest.mark.parametrize(
    ('suffix', 'codec'), [('mp4', 'mp4v'), ('mov', 'mp4v'), ('avi', 'MJPG')]
)
def test_all_frames_of_a_video(tmp_path, suffix, codec):
    path = draw_video(tmp_path / f'a.{suffix}', codec=codec, fps=29.97)

    clip = open_clip('a', path)

    assert (clip.live, clip.size, clip.frames, clip.note) == (False, SIZE, 10, '')
    assert clip.fps == pytest.approx(29.97)
    assert read(clip) == (list(range(10)), list(range(10)))
    assert read(clip)[0] == list(range(10))


def test_every_third_frame_lasts_three_times_as_long(tmp_path):
    clip = open_clip('a', draw_video(tmp_path / 'a.mp4', fps=30), every=3)

    assert (clip.fps, clip.frames) == (10, 4)
    assert read(clip) == ([0, 3, 6, 9], [0, 3, 6, 9])


@pytest.mark.parametrize('suffix', ['mp4', 'avi', 'mjpg'])
def test_the_time_of_each_frame(tmp_path, suffix):
    """By its stamp, which an ``mjpg`` has not."""
    codec = 'mp4v' if suffix == 'mp4' else 'MJPG'
    path = draw_video(tmp_path / f'a.{suffix}', codec=codec)
    moments = [moment for moment, _ in open_clip('a', path, every=3).read()]

    rate = 25 if suffix == 'mjpg' else 10  # That of the format, since it says none.
    assert moments == [(k, pytest.approx(k / rate, abs=1e-3)) for k in (0, 3, 6, 9)]


def test_a_phone_s_rate_that_changes(plug_in, tmp_path):
    stamps = (0.0, 40.0, 80.0, 520.0, 960.0)

    class Phone(Camera):
        def get(self, key):
            return stamps[self.number] if key == CAP_PROP_POS_MSEC else super().get(key)

    plug_in(Phone(5, claims=5), Phone(5, claims=5))
    moments = [moment for moment, _ in open_clip('a', str(tmp_path)).read()]

    assert moments == [(0, 0.0), (1, 0.04), (2, 0.08), (3, 0.52), (4, 0.96)]


def test_a_phone_s_upright_video_is_upright(tmp_path):
    path = Path(draw_video(tmp_path / 'a.mp4'))
    data = path.read_bytes()
    straight, turned = (
        b''.join(number.to_bytes(4, 'big') for number in matrix)
        for matrix in ((1 << 16, 0, 0, 0, 1 << 16), (0, 1 << 16, 0, 0xFFFF << 16, 0))
    )
    at = data.index(straight, data.index(b'tkhd'))
    path.write_bytes(data[:at] + turned + data[at + len(turned) :])

    clip = open_clip('a', str(path))

    assert clip.size == SIZE[::-1]
    assert next(clip.read())[1].shape == (SIZE[0], SIZE[1], 3)


def test_a_video_that_is_cut_off_gives_what_there_is(tmp_path):
    path = Path(draw_video(tmp_path / 'a.mkv', frames=100))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])

    numbers, sentence = read_until_error(open_clip('in/a.mkv', str(path)))

    assert numbers == list(range(len(numbers)))
    assert 20 < len(numbers) < 80
    assert sentence.startswith(f'in/a.mkv: ends after {len(numbers)} of 100 frames')


@pytest.mark.parametrize(
    ('content', 'cut_off'),
    [
        (b'\0\0\0\x10ftypisom\0\0\0\0' + b'\0\0\0\x08mdat', False),
        (b'\0\0\0\x10ftypisom\0\0\0\0' + b'\0\0\0\x09mdat', True),
        (
            b'\0\0\0\x10ftypisom\0\0\0\0' + b'\0\0\0\x01mdat' + b'\0' * 7 + b'\x10',
            False,
        ),
        (b'\0\0\0\x10ftypisom\0\0\0\0' + b'\0\0\0\x01mdat' + b'\0' * 7 + b'\x11', True),
        (b'\0\0\0\x10ftypisom\0\0\0\0' + b'\0\0\0\0mdat' + b'rest', False),
        (b'RIFF', True),
        (b'\0\0\0\0mpeg', True),
    ],
)
def test_a_trimmed_video_with_all_its_bytes_is_not_cut_off(
    tmp_path, plug_in, content, cut_off
):
    path = tmp_path / 'a.mp4'
    path.write_bytes(content)
    plug_in(*[Camera(frames=60, claims=100) for _ in range(2)])
    clip = open_clip('a', str(path))

    if cut_off:
        assert read_until_error(clip)[0] == list(range(60))
    else:
        assert read(clip)[0] == list(range(60))


@pytest.mark.parametrize('claims', [0, -5, 59, 62, 30])
def test_a_count_that_is_somewhat_wrong_is_no_problem(tmp_path, plug_in, claims):
    path = tmp_path / 'a.avi'
    path.write_bytes(b'RIFF')
    plug_in(*[Camera(frames=60, claims=claims) for _ in range(2)])

    clip = open_clip('a', str(path))

    assert (clip.live, clip.frames) == (False, claims if claims > 0 else None)
    assert read(clip)[0] == list(range(60))


class Timed(Camera):
    """A capture with time stamps, 50 ms a frame."""

    def get(self, key):
        stamp = key == clips.cv2.CAP_PROP_POS_MSEC
        return 50.0 * self.number if stamp else super().get(key)


@pytest.mark.parametrize('claims', [0.0, 1000.0, float('nan')])
@pytest.mark.parametrize(('kind', 'fps'), [(Camera, 25), (Timed, 20)])
def test_frames_a_second_that_cannot_be(tmp_path, plug_in, claims, kind, fps):
    path = tmp_path / 'a.webm'
    path.touch()
    plug_in(*[kind(fps=claims, claims=9999) for _ in range(2)])

    clip = open_clip('a.webm', str(path), every=5)

    assert (clip.fps, clip.frames) == (fps / 5, None)
    assert clip.note == (
        f'a.webm: claims {claims:g} frames a second; {fps} are assumed'
    )
    assert read(clip)[0] == [0, 5]


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    with pytest.raises(ImageError, match='in/a: has a name that is not UTF-8'):
        open_clip('in/a', str(tmp_path / '\udcff.mp4'))


def test_what_is_no_video_is_said_in_one_sentence_and_no_other(tmp_path):
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'\0\0\0\x10ftypisom\0\0\0\0')
    # FFmpeg asks how much it may print only once in a process.
    code = f"""
from custom_datasets.errors import ImageError
from custom_datasets.predicting.clips import open_clip
try:
    open_clip('in/a', {str(path)!r})
except ImageError as error:
    print(error)
"""

    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)

    assert done.stdout.startswith('in/a: is not a video, is damaged, or has')
    assert done.stderr == ''


def test_a_video_that_goes_away(tmp_path):
    path = Path(draw_video(tmp_path / 'a.mp4'))
    clip = open_clip('a', str(path))
    path.unlink()

    assert read_until_error(clip) == ([], 'a: cannot be read')


def test_a_video_is_closed_by_who_stops_reading(plug_in, tmp_path):
    capture = Camera(claims=10)
    plug_in(Camera(claims=10), capture)
    frames = open_clip('a', str(tmp_path)).read()
    next(frames)

    frames.close()

    assert capture.released.is_set()


def test_a_camera_drops_frames_rather_than_lag(plug_in):
    taken, shown, gone = (threading.Event() for _ in range(3))

    def before(number):
        if number == 1:
            assert taken.wait(10)
        if number == 8:
            shown.set()
            assert gone.wait(10)

    camera = Camera(frames=8, before=before)
    plug_in(Camera(), camera)
    clip = open_clip('camera-0', 0)
    frames = clip.read()

    assert clip.live
    assert clip.frames is None
    assert number_of(next(frames)[1]) == 0
    taken.set()
    assert shown.wait(10)
    assert number_of(next(frames)[1]) == 7
    gone.set()
    with pytest.raises(ImageError, match='camera-0: the camera stopped'):
        next(frames)
    assert camera.released.is_set()


def test_the_numbers_of_live_frames_follow_the_clock(plug_in, monkeypatch):
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr(clips, 'time', clock)
    steps = {number: threading.Event() for number in (2, 4, 6, 8)}
    plug_in(Camera(), Camera(before=lambda k: k in steps and steps[k].wait(10)))
    clip = open_clip('camera-0', 0, every=2)
    frames = clip.read()
    taken = []
    for step, now in zip(
        range(0, 10, 2), (50.0, 50.1, 52.05, 52.06, 52.07), strict=True
    ):
        clock.monotonic = lambda now=now: now
        if step:
            steps[step].set()
        taken.append(next(frames))
    frames.close()

    # 10 frames a second in the original: 52.05 is 20.5 frames after the first.
    moments = [moment for moment, _ in taken]
    assert moments == [(0, 0.0), (2, 0.2), (20, 2.0), (22, 2.2), (24, 2.4)]
    assert [number_of(pixels) for _, pixels in taken] == [0, 2, 4, 6, 8]


def test_a_stream_that_sends_more_frames_than_it_says_lasts_no_longer(
    plug_in, monkeypatch
):
    # 50 frames a second, of which it says 10.
    taken = [threading.Event() for _ in range(200)]
    turn = iter(range(200))

    def monotonic():  # Is asked once for each frame that was taken.
        count = next(turn)
        taken[count].set()
        return 100 + count / 50

    monkeypatch.setattr(clips, 'time', SimpleNamespace(monotonic=monotonic))
    camera = Camera(200, before=lambda k: k == 0 or taken[k - 1].wait(10), fps=10)
    plug_in(Camera(), camera)

    live = open_clip('a', 'http://host/live')
    numbers = [moment.frame for moment, _ in live.read()]

    assert numbers == sorted(set(numbers))
    assert 35 <= len(numbers) <= 45
    assert 39 <= numbers[-1] <= 45  # Four seconds, and half a one ahead.


def test_a_camera_is_closed_by_who_stops_reading(plug_in):
    camera = Camera(frames=1 << 60)
    plug_in(Camera(), camera)
    frames = open_clip('camera-0', 0).read()
    next(frames)

    frames.close()

    assert camera.released.wait(10)


def test_a_stream_that_is_not_there_any_more(plug_in):
    plug_in(Camera(), Camera(frames=0))

    clip = open_clip('a', 'rtsp://host/live')

    assert read_until_error(clip) == ([], 'a: sent no frame')


def test_a_camera_that_stalls_is_given_up(plug_in, monkeypatch):
    monkeypatch.setattr(clips, 'STALL_SECONDS', 0.2)
    forever = threading.Event()
    camera = Camera(before=lambda number: number > 3 and forever.wait())
    plug_in(Camera(), camera)

    numbers, sentence = read_until_error(open_clip('camera-0', 0))

    assert numbers
    assert sentence == 'camera-0: sent nothing for 0.2 s'
    forever.set()
    assert camera.released.wait(10)


def test_a_stream_of_a_network_camera():
    with serve(lambda handler: send_mjpeg(handler, range(6))) as address:
        (clip,) = open_sources([f'{address}/live/video.cgi?user=me'])
        told, drawn = read(clip)

    assert clip.name == f'{address[7:]}-live-video.cgi'.replace(':', '-')
    assert (clip.live, clip.size, clip.fps) == (True, SIZE, 25)
    assert told == sorted(set(told))
    assert drawn[-1] == 5  # The newest is not lost, whatever was dropped before.


def test_a_video_file_at_an_address_is_read_whole(tmp_path):
    path = Path(draw_video(tmp_path / 'a.avi', codec='MJPG'))

    def answer(handler):
        handler.send_response(200)
        handler.send_header('Content-Length', str(path.stat().st_size))
        handler.end_headers()
        handler.wfile.write(path.read_bytes())

    with serve(answer) as address:
        (clip,) = open_sources([f'{address}/a.avi'])
        assert (clip.live, clip.frames) == (False, 10)
        assert read(clip) == (list(range(10)), list(range(10)))


def test_a_stream_that_stalls_is_given_up(monkeypatch):
    monkeypatch.setattr(clips, 'STALL_SECONDS', 0.5)
    forever = threading.Event()

    def answer(handler):
        send_mjpeg(handler, range(10), lambda k: k == 9 and forever.wait(30))

    with serve(answer) as address:
        (clip,) = open_sources([address])
        numbers, sentence = read_until_error(clip)
        forever.set()

    assert numbers
    assert sentence.endswith(': sent nothing for 0.5 s')


@pytest.mark.parametrize('scheme', ['http', 'rtsp'])
def test_an_address_that_says_nothing_is_given_up(monkeypatch, capfd, scheme):
    monkeypatch.setattr(clips, 'STALL_SECONDS', 0.3)
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        text = f'{scheme}://me:secret@127.0.0.1:{port}/live?key=secret'
        with pytest.raises(UserError) as caught:
            open_sources([text])

    assert str(caught.value).startswith(f'{scheme}://127.0.0.1:{port}/live: sends no')
    assert capfd.readouterr() == ('', '')
