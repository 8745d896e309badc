"""Writing a painted video, with the sound of the original."""

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from errno import EISDIR
from types import TracebackType

import cv2
import numpy as np

from custom_datasets.data.images import free_name, short_name
from custom_datasets.errors import ImageError, UserError
from custom_datasets.files import unwritable
from custom_datasets.predicting.clips import silence_opencv
from custom_datasets.predicting.images import Pixels
from custom_datasets.predicting.sources import VIDEO_SUFFIXES
from custom_datasets.text import printable

_CODECS = ('avc1', 'mp4v')
_LONGEST = 8190  # The longest even side that MPEG-4 has a number for.
_LEAST_FPS = 0.002  # OpenCV refuses less.


class VideoWriter:
    """A video file that appears when it is finished.

    It also does after Ctrl-C or an ImageError, with the frames until then; after any
    other error, or without a frame, an old file stays as it was.

    It is H.264 where this OpenCV can encode that, which the wheels for Linux can't,
    else MPEG-4 part 2 (``mp4v``): players show it, browsers do not;
    ``ffmpeg -i painted.mp4 -c:a copy for_browsers.mp4`` makes one that they do. Both
    need even sides: an odd one gets one more row or column, a copy of the last. Frames
    with a side of more than 8190 pixels are scaled down.

    Attributes:
        note: A sentence where frames are scaled down, else empty.
    """

    def __init__(self, path: str, fps: float, size: tuple[int, int]) -> None:
        """Take a path that ends in ``.mp4``, and width and height in pixels."""
        self.path = path
        # MPEG-4 has it as a fraction with numbers up to 65535.
        self.fps = max(round(fps, 3 if fps < 65 else 2), _LEAST_FPS)
        self.size = _fitting(size)
        self.note = ''
        if self.size != size:
            (width, height), (old_width, old_height) = self.size, size
            self.note = (
                f'{path}: scaled from {old_width} x {old_height} to {width} x {height} '
                'pixels, since MPEG-4 has no larger ones'
            )
        self._work = ''
        self._count = 0
        self._last: Pixels | None = None

    def __enter__(self) -> 'VideoWriter':
        """Open a file beside the path.

        Raises:
            ImageError: OpenCV cannot write a video of that size and rate.
            UserError: Nothing can be written there.
        """
        silence_opencv()
        self._work = _work_file(self.path)
        width, height = (side + side % 2 for side in self.size)
        for codec in _CODECS:
            fourcc = cv2.VideoWriter.fourcc(*codec)
            self._video = cv2.VideoWriter(self._work, fourcc, self.fps, (width, height))
            if self._video.isOpened():
                return self
        _remove(self._work)
        raise ImageError(
            self.path,
            f'OpenCV cannot write a video of {width} x {height} pixels and '
            f'{self.fps:g} frames a second',
        )

    def write(self, pixels: Pixels, place: int | None = None) -> None:
        """Write a frame; one of another size is scaled.

        ``place`` is its number in this video, from 0: what is missing before it is
        filled with the frame before, as for a live source whose frames were dropped.
        """
        width, height = self.size
        if pixels.shape[:2] != (height, width):
            pixels = cv2.resize(pixels, (width, height))  # type: ignore[assignment]
        frame = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), 'edge')
        if self._last is not None and place is not None:
            while self._count < place:
                self._write(self._last)
        self._last = frame
        self._write(frame)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file; raises a UserError where the disk is full."""
        self._video.release()
        keep = kind is None or issubclass(kind, (KeyboardInterrupt, ImageError))
        try:
            if keep and self._count:
                self._require_written()
                _finish(self._work, self.path)
        finally:
            _remove(self._work)

    def _write(self, frame: Pixels) -> None:
        self._video.write(frame)
        self._count += 1

    def _require_written(self) -> None:
        # OpenCV says nothing about a write that failed.
        capture = cv2.VideoCapture(self._work, cv2.CAP_FFMPEG)
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        if count < self._count:
            raise UserError(
                f'{self.path}: only {max(count, 0)} of {self._count} frames could be '
                'written; is the disk full?'
            )


def copy_sound(video: str, painted: str) -> str:
    """Give a painted video the sound of the original, up to its own end.

    Returns:
        A sentence where that was not possible, and the painted video stays as it was;
        else nothing. An original without sound is no problem.
    """
    ffmpeg = shutil.which('ffmpeg')
    if ffmpeg is None:
        return f'{painted}: without sound, since ffmpeg is not installed'
    capture = cv2.VideoCapture(painted, cv2.CAP_FFMPEG)
    frames, fps = (
        capture.get(key) for key in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS)
    )
    capture.release()
    problem = ''
    # MP4 does not take every kind of sound as it is: PCM, WMA.
    for codec in ('copy', 'aac'):
        work = _work_file(painted)
        command = [ffmpeg, '-nostdin', '-v', 'error', '-y']
        command += ['-i', _as_file(painted)]
        command += ['-t', f'{frames / max(fps, 0.001):.3f}', '-i', _as_file(video)]
        command += ['-map', '0:v', '-map', '1:a?']
        command += ['-c:v', 'copy', '-c:a', codec, _as_file(work)]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
            if not done.returncode:
                _finish(work, painted)
                return ''
        finally:
            _remove(work)
        lines = done.stderr.decode(errors='replace').strip().splitlines()
        problem = lines[-1] if lines else f'exit status {done.returncode}'
    return f'{painted}: without sound, since ffmpeg failed ({problem})'


def name_videos(clips: Sequence[str]) -> dict[str, str]:
    """Return the file of each clip's painted video: its name, with another suffix."""
    stems = Counter(map(_without_suffix, clips))
    taken: set[str] = set()
    names = {}
    for clip in clips:
        stem = _without_suffix(clip)
        short = short_name(stem if stems[stem] == 1 else clip)
        names[clip] = f'{free_name(short, taken)}.mp4'
    return names


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    longest = max(size)
    if longest <= _LONGEST:
        return size
    scale = _LONGEST / longest
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _as_file(path: str) -> str:
    """Keep ffmpeg from reading a dash as an option, or a colon as a protocol."""
    return f'file:{os.path.abspath(path)}'


def _work_file(path: str) -> str:
    """Make an empty MP4 beside a path; raises a UserError."""
    folder = os.path.dirname(path) or '.'
    if printable(path) != path:  # OpenCV crashes on it.
        raise UserError(f'{printable(path)}: not a name in UTF-8; choose another')
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(EISDIR, 'a folder of that name exists')
        os.makedirs(folder, exist_ok=True)
        handle, work = tempfile.mkstemp(prefix='.', suffix='.mp4', dir=folder)
    except OSError as error:
        raise unwritable(path, error) from error
    os.close(handle)
    return work


def _finish(work: str, path: str) -> None:
    try:
        os.chmod(work, 0o644)
        os.replace(work, path)
    except OSError as error:
        raise unwritable(path, error) from error


def _remove(path: str) -> None:
    with suppress(OSError):
        os.remove(path)


def _without_suffix(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in (*VIDEO_SUFFIXES, '.gif') else name
