"""The colour of each class, the same on pages and on painted images."""

import colorsys
from collections.abc import Sequence
from functools import cache
from typing import Any

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

_DISTINCT: tuple[Colour, ...] = (
    (230, 25, 75),
    (0, 130, 200),
    (255, 225, 25),
    (60, 180, 75),
    (145, 30, 180),
    (245, 130, 48),
    (70, 240, 240),
    (240, 50, 230),
    (0, 128, 128),
    (210, 245, 60),
    (170, 110, 40),
    (250, 190, 212),
    (0, 0, 160),
    (170, 255, 195),
    (128, 0, 0),
    (220, 190, 255),
    (128, 128, 0),
    (255, 215, 180),
)
_GOLDEN = 0.618034


def class_colours(count: int, palette: Any = None) -> list[Colour]:
    """Return a colour for each class: of the palette in ``METAINFO``, if it has enough.

    Otherwise (``random``, say) they are told apart easily up to 18.
    """
    if isinstance(palette, Sequence) and not isinstance(palette, str):
        if len(palette) >= count and all(map(_is_colour, palette)):
            return [(int(r), int(g), int(b)) for r, g, b in palette[:count]]
    return [_made(label) for label in range(count)]


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 3
        and all(isinstance(band, int) and 0 <= band <= 255 for band in value)
    )


@cache
def _made(label: int) -> Colour:
    if label < len(_DISTINCT):
        return _DISTINCT[label]
    # Steps of the golden ratio never meet a hue again.
    hue, value = label * _GOLDEN % 1, (1.0, 0.75, 0.55)[label % 3]
    red, green, blue = (round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.85, value))
    return red, green, blue
