"""Predictions painted onto their image: boxes with names, or a class with its rival."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from custom_datasets.predicting.colours import Colour, class_colours
from custom_datasets.predicting.fonts import (
    Face,
    Fonts,
    clean_text,
    fonts_for,
    pillow_font,
)

Pixels = NDArray[np.uint8]
Palette = Mapping[str, Colour]
"""The colour of each class."""

SMALLEST = 320
"""Images whose longer side is less are enlarged, so that names can be read."""

_SPARE = 100
"""Rows below an image: room for most captions."""

_DARK, _LIGHT = (24, 24, 27), (250, 250, 250)
_MOST_COVERED = 0.25
"""The share of an image that names may cover."""

_MOST_CAPTION, _SMALLEST_TEXT = 0.15, 8
"""The share of a frame that its caption may cover, and the size of letters in pixels
that can still be read."""


def class_palette(classes: Sequence[str], palette: Any = None) -> dict[str, Colour]:
    """Give each class its colour; see :func:`class_colours`."""
    return dict(zip(classes, class_colours(len(classes), palette), strict=True))


def paint_boxes(
    image: Pixels,
    boxes: NDArray[np.floating],
    names: Sequence[str],
    scores: Sequence[float] | NDArray[np.floating] | None = None,
    *,
    palette: Palette | None = None,
    threshold_text: str | None = None,
    keep_size: bool = False,
) -> Pixels:
    """Paint boxes with their names and scores onto a copy of a BGR image.

    Names that would cover another, a whole box, or too much of the image, are left
    out, those of low scores first; a legend names their colours then. Line and text
    grow with the image. A small image is enlarged, and ``threshold_text`` stands on a
    strip below it; with ``keep_size``, for frames of a video, the result has the
    image's shape, the text stands in a corner unless it would cover too much, and
    there is no legend.

    Args:
        image: Shape (height, width, 3), BGR.
        boxes: Shape (n, 4), ``xyxy`` in pixels of the image.
        names: The class of each box.
        scores: Of each box, 0 to 1; None for annotations.
        palette: The colour of each class, the same in all pictures; see
            :func:`class_palette`.
        threshold_text: What was asked of a score, such as ``score at least 0.42``.
        keep_size: Whether the result has the image's shape.
    """
    palette = palette or class_palette(sorted(set(names)))
    canvas = _Canvas(image, [*palette, *names, threshold_text or ''], keep_size)
    corners = canvas.place(boxes)
    scored = np.zeros(len(names)) if scores is None else np.asarray(scores, dtype=float)
    ends = (
        [''] * len(names) if scores is None else [f' {score:.2f}' for score in scored]
    )
    for i in np.argsort(scored, kind='stable'):
        canvas.outline(corners[i], palette[names[i]])
    if threshold_text and keep_size:
        canvas.caption([_Line(threshold_text)])
    left_out = [
        names[i]
        for i in np.argsort(-scored, kind='stable')
        if not canvas.label(corners[i], names[i], ends[i], palette[names[i]])
    ]
    if left_out and not keep_size:
        canvas.legend(Counter(names), palette)
    if threshold_text and not keep_size:
        canvas.caption([_Line(threshold_text)])
    return canvas.pixels()


def paint_class(
    image: Pixels,
    names: Sequence[str],
    probabilities: Sequence[float] | NDArray[np.floating],
    *,
    palette: Palette | None = None,
    threshold_text: str | None = None,
    sure: bool = True,
    keep_size: bool = False,
) -> Pixels:
    """Write the first class and its runner-up below a copy of a BGR image.

    The first stands in large letters only where it is ``sure``; else
    ``threshold_text`` comes before both. With ``keep_size`` they stand in a corner of
    the image, a small one without the runner-up; see :func:`paint_boxes`.

    Args:
        image: Shape (height, width, 3), BGR.
        names: Classes, the most probable first.
        probabilities: Of each of them.
        palette: The colour of each class.
        threshold_text: What was asked of a probability.
        sure: Whether the first class reached it.
        keep_size: Whether the result has the image's shape.
    """
    palette = palette or class_palette(sorted(set(names)))
    canvas = _Canvas(image, [*palette, *names, threshold_text or ''], keep_size)
    scales = (1.5, 1.0) if sure else (0.9, 0.9)
    lines = [
        _Line(name, f'{share:.2f}', palette[name], scale, float(share))
        for name, share, scale in zip(names, probabilities, scales, strict=False)
    ]
    if threshold_text:
        lines.insert(len(lines) if sure else 0, _Line(threshold_text))
    canvas.caption(lines)
    return canvas.pixels()


def side_by_side(left: Pixels, right: Pixels) -> Pixels:
    """Join two painted images; the lower one gets a longer strip."""
    height = max(len(left), len(right))
    filled = [
        cv2.copyMakeBorder(
            image,
            *(0, height - len(image), 0, 0),
            borderType=cv2.BORDER_CONSTANT,
            value=_turned(_DARK),
        )
        for image in (left, right)
    ]
    return np.hstack(filled)


class _Line(NamedTuple):
    """A line of a caption; with a colour and a share it has a bar below."""

    text: str
    end: str = ''
    colour: Colour | None = None
    scale: float = 0.9
    share: float = 0.0


class _Canvas:
    """A BGR image to draw on, as a part of a buffer with rows to spare below."""

    def __init__(self, image: Pixels, texts: Sequence[str], keep_size: bool) -> None:
        self.keep_size = keep_size
        longest = max(image.shape[:2])
        self.zoom = 1 if keep_size else math.ceil(SMALLEST / longest)
        self.height, self.width = (self.zoom * side for side in image.shape[:2])
        self.buffer: Pixels = np.empty((self.height + _SPARE, self.width, 3), np.uint8)
        cv2.resize(
            image,
            (self.width, self.height),
            dst=self.buffer[: self.height],
            interpolation=cv2.INTER_CUBIC,
        )
        self.fonts: Fonts = fonts_for(texts)
        # Slower than the side: a large picture is looked at from no further away.
        side = math.sqrt(self.width * self.height)
        smallest = 10 if keep_size else 12
        self.size: int = max(smallest, round(14 * (side / 554) ** 0.8))
        self.thickness = max(1, round(self.size / 7))
        self.taken: NDArray[np.float64] = np.empty((0, 4))
        self.boxes: NDArray[np.float64] = np.empty((0, 4))
        self.covered = 0

    def pixels(self) -> Pixels:
        return self.buffer[: self.height]

    def place(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return boxes in pixels of the canvas, inside it."""
        corners = np.asarray(boxes, dtype=float).reshape(-1, 2, 2)
        finite = np.nan_to_num(corners, posinf=1e9, neginf=-1e9)
        ordered = np.sort(finite, axis=1) * self.zoom
        inside: NDArray[np.float64] = ordered.clip(
            0, (self.width - 1, self.height - 1)
        ).reshape(-1, 4)
        self.boxes = inside.round()
        return self.boxes

    def outline(self, box: NDArray[np.float64], colour: Colour) -> None:
        x1, y1, x2, y2 = (*box[:2], *(box[2:] + 1))
        thick = self.thickness
        for edge in (
            (x1, y1, x2, y1 + thick),
            (x1, y2 - thick, x2, y2),
            (x1, y1, x1 + thick, y2),
            (x2 - thick, y1, x2, y2),
        ):
            self.rectangle(np.array(edge), colour)

    def label(
        self, box: NDArray[np.float64], name: str, end: str, colour: Colour
    ) -> bool:
        """Write a name at its box where it covers no other and no box, if it can."""
        pad = max(1, self.size // 5)
        text = self.fitted(name, end, self.size, self.width - 2 * pad)
        width = self.length(text, self.size) + 2 * pad
        height = self.line_height(self.size)
        covered = self.covered + width * height
        if len(self.taken) and covered > _MOST_COVERED * self.width * self.height:
            return False
        for x, y in _places(box, width, height):
            left = min(max(x, 0), self.width - width)
            spot = np.array((left, y, left + width, y + height))
            inside = left >= 0 and 0 <= y <= self.height - height
            if inside and self.is_free(spot):
                self.taken = np.vstack((self.taken, spot))
                self.covered = covered
                self.rectangle(spot, colour)
                self.write(left + pad, y, text, self.size, _contrast(colour))
                return True
        return False

    def is_free(self, spot: NDArray[np.float64]) -> bool:
        apart = (
            (self.taken[:, 0] >= spot[2])
            | (self.taken[:, 2] <= spot[0])
            | (self.taken[:, 1] >= spot[3])
            | (self.taken[:, 3] <= spot[1])
        )
        hidden = (self.boxes[:, :2] >= spot[:2]) & (self.boxes[:, 2:] < spot[2:])
        return bool(apart.all()) and not hidden.all(1).any()

    def caption(self, lines: Sequence[_Line]) -> None:
        """Write lines on a strip below the image, or in its lower left corner."""
        pad = max(2, self.size // 2)
        if self.keep_size:
            lines = self.short_caption(lines)
            if not lines:
                return
            width, height = self.caption_size(lines)
            top = self.height - height
            self.taken = np.vstack((self.taken, (0, top, width, self.height)))
        else:
            width, height = self.width, self.caption_size(lines)[1]
            top = self.height
            self.grow(height)
        self.rectangle(np.array((0, top, width, top + height)), _DARK)
        y = top + pad // 2
        for line in lines:
            self.caption_line(line, pad, y, width - 2 * pad)
            y += self.step(line)

    def short_caption(self, lines: Sequence[_Line]) -> Sequence[_Line]:
        """Leave out lines, from the last, while they would cover too much of a frame.

        A class that is the answer stays, in the smallest letters.
        """
        while lines:
            width, height = self.caption_size(lines)
            if width * height <= _MOST_CAPTION * self.width * self.height:
                break
            if len(lines) == 1 and lines[0].colour:
                return [lines[0]._replace(scale=0)]
            lines = lines[:-1]
        return lines

    def caption_size(self, lines: Sequence[_Line]) -> tuple[int, int]:
        """Return width and height of as much as the lines need."""
        pad = max(2, self.size // 2)
        longest = max(
            self.length(line.text, self.letters(line))
            + self.end_length(line.end, self.letters(line))
            for line in lines
        )
        width = min(self.width, longest + 2 * pad)
        return width, sum(map(self.step, lines)) + pad

    def letters(self, line: _Line) -> int:
        return max(_SMALLEST_TEXT, round(self.size * line.scale))

    def step(self, line: _Line) -> int:
        """Return the height of a line with its bar."""
        size = self.letters(line)
        return self.line_height(size) + (size // 3 if line.colour else 0)

    def caption_line(self, line: _Line, x: int, y: int, room: int) -> None:
        size = self.letters(line)
        end = self.end_length(line.end, size)
        text = self.fitted(line.text, '', size, room - end)
        self.write(x, y, text, size, _LIGHT)
        self.write(x + room - self.length(line.end, size), y, line.end, size, _LIGHT)
        if line.colour:
            top = y + self.line_height(size)
            thick = max(2, size // 6)
            bar = np.array((x, top, x + room, top + thick), dtype=float)
            self.rectangle(bar, (70, 70, 75))
            bar[2] = x + max(1, round(room * min(line.share, 1.0)))
            self.rectangle(bar, line.colour)

    def legend(self, counts: Mapping[str, int], palette: Palette) -> None:
        """Name the colours on a strip below, the most frequent first."""
        size, pad = round(0.9 * self.size), self.size // 2
        step = self.line_height(size)
        spots, x, y = [], pad, pad // 2
        for name, count in sorted(counts.items(), key=lambda item: -item[1]):
            room = self.width - 2 * pad - 2 * size
            text = self.fitted(name, f': {count}', size, room)
            width = self.length(text, size) + 2 * size
            if x > pad and x + width > self.width:
                x, y = pad, y + step
            spots.append((x, y, name, text))
            x += width
        top = self.height
        self.grow(y + step)
        self.rectangle(np.array((0, top, self.width, top + y + step)), _DARK)
        for x, y, name, text in spots:
            spot = np.array((x, 0.25 * size, x + size, 1.25 * size)).round()
            spot[1::2] += top + y
            self.rectangle(spot, palette[name])
            self.write(x + 1.3 * size, top + y, text, size, _LIGHT)

    def grow(self, height: int) -> None:
        """Add rows below."""
        self.height += height
        if (lacking := self.height - len(self.buffer)) > 0:
            rows = np.empty((lacking, self.width, 3), np.uint8)
            self.buffer = np.vstack((self.buffer, rows))

    def rectangle(self, spot: NDArray[np.float64], colour: Colour) -> None:
        """Fill a rectangle; ``spot`` is ``xyxy``, the last row and column outside."""
        x1, y1, x2, y2 = map(int, spot.tolist())
        if x1 < x2 and y1 < y2:
            corners = (x1, y1), (x2 - 1, y2 - 1)
            cv2.rectangle(self.buffer, *corners, _turned(colour), cv2.FILLED)

    def write(self, x: float, y: float, text: str, size: int, colour: Colour) -> None:
        """Write on a line whose upper edge is at ``y``."""
        baseline = int(y) + round(1.08 * size)
        for run, face, advance in _laid_out(self.fonts, text, size):
            mask, left, top = _letters(face, size, run, x % 1)
            self.blend(mask, int(x) + left, baseline + top, colour)
            x += advance

    def blend(self, mask: Pixels, left: int, top: int, colour: Colour) -> None:
        """Lay a colour over the canvas as a mask says, which may reach beyond it."""
        height, width = mask.shape
        x1, x2 = (min(max(x, 0), self.width) for x in (left, left + width))
        y1, y2 = (min(max(y, 0), self.height) for y in (top, top + height))
        mask = mask[y1 - top : y2 - top, x1 - left : x2 - left]
        below = self.buffer[y1:y2, x1:x2]
        share = mask[:, :, None].astype(np.uint16)
        mixed = below * (255 - share) + np.array(_turned(colour), np.uint16) * share
        # Divided by 255 and rounded, in whole numbers.
        mixed += 128
        below[:] = (mixed + (mixed >> 8)) >> 8

    def length(self, text: str, size: int) -> int:
        runs = _laid_out(self.fonts, text, size)
        return math.ceil(sum(advance for _, _, advance in runs))

    def end_length(self, text: str, size: int) -> int:
        """Return the length of what stands at the right, with a gap before it."""
        return self.length(text, size) + size // 2 if text else 0

    def line_height(self, size: int) -> int:
        return round(1.42 * size)

    def fitted(self, text: str, end: str, size: int, room: float) -> str:
        """Shorten the text, not its end, until both fit."""
        text = clean_text(text)
        if self.length(text + end, size) <= room:
            return text + end

        def is_too_long(count: int) -> bool:
            return self.length(f'{text[:count]}…{end}', size) > room

        # bisect finds the first count that is too long; one less fits.
        count = bisect_left(range(len(text)), True, key=is_too_long) - 1
        return f'{text[:count].rstrip()}…{end}' if count > 0 else end.strip()


# Shaping and drawing texts took most of the time of painting, and they come again.
@lru_cache(maxsize=10_000)
def _laid_out(
    fonts: Fonts, text: str, size: int
) -> tuple[tuple[str, Face, float], ...]:
    """Return the runs of a text with their faces and widths."""
    return tuple(
        (run, face, pillow_font(face, size).getlength(run))
        for run, face in fonts.runs(text)
    )


@lru_cache(maxsize=1000)
def _letters(face: Face, size: int, run: str, start: float) -> tuple[Pixels, int, int]:
    """Draw letters that begin a part of a pixel to the right.

    Returns a mask, 0 to 255, and where its left upper corner is, seen from the start
    of the baseline.
    """
    font = pillow_font(face, size)
    left, top, right, bottom = map(round, font.getbbox(run, anchor='ls'))
    left, top = left - 1, top - 1
    image = Image.new('L', (right + 2 - left, bottom + 1 - top))
    corner = (start - left, -top)
    ImageDraw.Draw(image).text(corner, run, 255, font, anchor='ls')
    return np.asarray(image), left, top


def _places(
    box: NDArray[np.float64], width: float, height: float
) -> list[tuple[float, float]]:
    """Return left and top of where a name can stand, the best place first."""
    x1, y1, x2, y2 = box
    lefts = (x1, x2 + 1 - width)
    outside = [(x, y) for y in (y1 - height, y2 + 1) for x in lefts]
    beside = [(x2 + 1, y1), (x1 - width, y1)]
    inside = [(x, y) for y in (y1, y2 + 1 - height) for x in lefts]
    if y2 - y1 > 3 * height:
        return [*outside[:2], *inside, *outside[2:], *beside]
    return [*outside, *beside, *inside]


def _turned(colour: Colour) -> Colour:
    red, green, blue = colour
    return blue, green, red


def _contrast(colour: Colour) -> Colour:
    """Return dark or light, whichever is easier to read on it (luma of BT.601)."""
    red, green, blue = colour
    return _DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else _LIGHT
