"""Videos, cameras and streams, frame after frame."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2

from custom_datasets.errors import ImageError
from custom_datasets.predicting.images import Pixels
from custom_datasets.text import printable

STALL_SECONDS = 10.0
"""How long a camera or a stream may send nothing, when opened and later."""

ASSUMED_FPS = 25.0
"""Frames a second of a video that does not say them."""

_AHEAD_SECONDS = 0.5  # Of its clock: frames come in bursts.
_MOST_FPS = 240.0  # A phone's slow motion; above it is the unit of the time stamps.
_TIMED_FRAMES = 100
_MISSING = 0.05  # Of the frames that a header claims, which is often an estimate.


Stamp = tuple[int, int]
"""By which a source that was replaced is noticed: the size of its file, and its time of
change in nanoseconds; of a member of a zip its size and its CRC."""


class Moment(NamedTuple):
    """When a frame is shown: its number in the original, from 0, and its time.

    ``seconds`` are those since the first frame, by the time stamps of a file.
    """

    frame: int
    seconds: float


@dataclass(frozen=True)
class Clip:
    """A video file, a camera or a stream.

    Attributes:
        name: What results are called; unique, relative, with ``/``.
        live: It goes on while nobody reads; then frames are dropped rather than late.
        fps: Of the frames that are read: with ``every`` 2, half of the original's, so
            that what is painted lasts as long.
        size: Width and height in pixels, upright.
        claimed: Frames of the original, as its header says; None where unknown.
        every: Of how many frames one is read.
        note: A sentence where something had to be assumed, else empty.
        address: What OpenCV opens: a path, an address, a camera's number.
        stamp: Of its file; None of what is no file.
    """

    name: str
    live: bool
    fps: float
    size: tuple[int, int]
    claimed: int | None
    every: int
    note: str
    address: str | int
    stamp: Stamp | None = None

    @property
    def frames(self) -> int | None:
        """Return how many frames will be read, about; None where unknown."""
        return None if self.claimed is None else -(-self.claimed // self.every)

    def read(self) -> Iterator[tuple[Moment, Pixels]]:
        """Yield frames with their moments.

        A live source has the newest frame at each step, and its numbers follow the
        clock: number N is due N frames of the original after the first; frames far
        ahead of it, of a source that sends more than it says, are dropped. In both
        cases ``number // every`` is the place of the frame in a video of ``fps``.

        Raises:
            ImageError: Nothing can be read, the file ends early, the camera is gone,
                or nothing came for :data:`STALL_SECONDS`.
        """
        return self._read_live() if self.live else self._read_file()

    def _read_file(self) -> Iterator[tuple[Moment, Pixels]]:
        capture = open_capture(self.address)
        number, seconds = 0, 0.0
        try:
            while capture.grab():
                if number % self.every == 0:
                    decoded, pixels = capture.retrieve()
                    if not decoded:
                        break
                    stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                    # Some formats have none, and OpenCV then says anything.
                    by_rate = number / (self.fps * self.every)
                    seconds = stamp if stamp > seconds else by_rate
                    yield Moment(number, round(seconds, 3)), pixels  # type: ignore[misc]
                number += 1
        finally:
            capture.release()
        if not number:
            raise ImageError(self.name, 'cannot be read')
        missing = (self.claimed or 0) - number
        if missing > max(1, _MISSING * number) and not _is_trimmed(self.address):
            raise ImageError(
                self.name,
                f'ends after {number} of {self.claimed} frames; it may be cut off',
            )

    def _read_live(self) -> Iterator[tuple[Moment, Pixels]]:
        newest = _Newest(open_capture(self.address), self.every)
        start, number = 0.0, -self.every
        try:
            while (pixels := newest.take(self.name)) is not None:
                now = time.monotonic()
                start = start or now
                due = int((now - start) * self.fps) * self.every
                following = max(number + self.every, due)
                # Of a high rate ``every`` may leave less than one.
                ahead = max(_AHEAD_SECONDS * self.fps, 1) * self.every
                if following - due <= ahead:
                    number = following
                    seconds = number / (self.fps * self.every)
                    yield Moment(number, round(seconds, 3)), pixels
        finally:
            newest.stop()
        if number < 0:
            raise ImageError(self.name, 'sent no frame')
        if isinstance(self.address, int):
            raise ImageError(self.name, 'the camera stopped; is it still plugged in?')


def open_clip(name: str, address: str | int, every: int = 1) -> Clip:
    """Look at a video's header and its first frame.

    Raises:
        ImageError: It cannot be opened, or has no frame that can be decoded.
    """
    if isinstance(address, str) and printable(address) != address:
        # OpenCV crashes on it.
        raise ImageError(name, 'has a name that is not UTF-8; rename it')
    capture = open_capture(address)
    try:
        decoded, pixels = capture.read()
        if not decoded:
            raise ImageError(name, _unopened(address))
        fps = says = capture.get(cv2.CAP_PROP_FPS)
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        live = not _is_file(address) and not count > 0
        if not _is_sane(fps):
            fps = ASSUMED_FPS if live else _rate_by_time(capture)
    finally:
        capture.release()
    note = ''
    if not _is_sane(says) and not live:
        note = f'{name}: claims {says:g} frames a second; {fps:.4g} are assumed'
    height, width = pixels.shape[:2]
    return Clip(
        name=name,
        live=live,
        fps=fps / every,
        size=(width, height),
        claimed=int(count) if count > 0 and _is_sane(says) and not live else None,
        every=every,
        note=note,
        address=address,
    )


def open_capture(address: str | int) -> cv2.VideoCapture:
    """Open a path, an address or a camera; :meth:`isOpened` says whether it worked."""
    silence_opencv()
    if isinstance(address, int):
        return cv2.VideoCapture(address)
    opening = int(1000 * STALL_SECONDS)
    limits = {
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: opening,
        # Whoever waits for a frame gives up before; this ends the thread that reads.
        cv2.CAP_PROP_READ_TIMEOUT_MSEC: 2 * opening,
    }
    pairs = [value for pair in limits.items() for value in pair]
    capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, pairs)
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # Not the default in OpenCV 4.11.
    return capture


def silence_opencv() -> None:
    """Stop OpenCV and its FFmpeg from printing, from here on in this process.

    All that they say, in lines of their own on stderr, is said by our sentences.
    """
    # Read once, when FFmpeg is first used.
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    cv2.setLogLevel(0)


class _Taken(NamedTuple):
    frame: Pixels | None
    ended: bool


class _Newest:
    """Reads a live source in a thread and keeps its newest frame.

    A camera's driver and a stream's connection have queues: whoever reads slower than
    they send falls behind, seconds after minutes.
    """

    def __init__(self, capture: cv2.VideoCapture, every: int) -> None:
        self._changed = threading.Condition()
        self._state = _Taken(None, False)
        self._stopped = False
        # A read may hang, and must not keep the process from ending.
        self._thread = threading.Thread(
            target=self._run, args=(capture, every), daemon=True
        )
        self._thread.start()

    def take(self, name: str) -> Pixels | None:
        """Wait for a frame that was not taken yet; None at the end."""
        with self._changed:
            if not self._changed.wait_for(self._is_ready, STALL_SECONDS):
                raise ImageError(name, f'sent nothing for {STALL_SECONDS:g} s')
            frame, ended = self._state
            self._state = _Taken(None, ended)
            return frame

    def stop(self) -> None:
        """Have the thread close the source, and wait for it unless a read hangs."""
        self._stopped = True
        self._thread.join(1)

    def _is_ready(self) -> bool:
        return self._state.frame is not None or self._state.ended

    def _run(self, capture: cv2.VideoCapture, every: int) -> None:
        count = 0
        while not self._stopped and capture.grab():
            if count % every == 0:
                decoded, pixels = capture.retrieve()
                if not decoded:
                    break
                self._set(_Taken(pixels, False))  # type: ignore[arg-type]
            count += 1
        # Only here, since a capture must not be closed while it reads.
        capture.release()
        self._set(_Taken(self._state.frame, True))

    def _set(self, state: _Taken) -> None:
        with self._changed:
            self._state = state
            self._changed.notify()


def _is_sane(fps: float) -> bool:
    return 0 < fps <= _MOST_FPS  # False for NaN as well.


def _rate_by_time(capture: cv2.VideoCapture) -> float:
    """Return the rate of the next frames by their time stamps, else the usual one."""
    start = end = capture.get(cv2.CAP_PROP_POS_MSEC)
    count = 0
    while count < _TIMED_FRAMES and capture.grab():
        count += 1
        end = capture.get(cv2.CAP_PROP_POS_MSEC)
    fps = 1000 * count / (end - start) if end > start else 0
    return fps if _is_sane(fps) else ASSUMED_FPS


def _is_file(address: str | int) -> bool:
    return isinstance(address, str) and '://' not in address


def _unopened(address: str | int) -> str:
    if isinstance(address, int):
        return 'no such camera, or another program has it'
    if _is_file(address):
        return 'is not a video, is damaged, or has a codec that OpenCV lacks'
    return 'sends no video; are the address and the password right, and is it on?'


def _is_trimmed(address: str | int) -> bool:
    """Say whether a file is an MP4 or MOV with all its bytes.

    Phones trim a video by a list of what to show; its header counts the rest as well.
    """
    if not isinstance(address, str) or not _is_file(address):
        return False
    end, start = os.path.getsize(address), 0
    with open(address, 'rb') as file:
        if file.read(8)[4:] != b'ftyp':
            return False
        while start < end:
            file.seek(start)
            box = file.read(16)
            size = int.from_bytes(box[:4], 'big')
            if size == 1:
                size = int.from_bytes(box[8:], 'big')
            if size == 0:  # Up to the end, wherever that is.
                return True
            start += max(size, 8)
    return start == end
