"""Colours that tell classes apart and can be seen on a light and a dark page."""

import colorsys
from collections.abc import Sequence
from typing import Any

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

LIGHT: Colour = (255, 255, 255)
DARK: Colour = (22, 25, 31)
"""What charts are drawn on."""

_GOLDEN_ANGLE = 0.381966
_LEAST_CONTRAST = 3.0  # For graphics: WCAG 2.2, success criterion 1.4.11.


def class_colours(count: int, palette: Any = None) -> list[Colour]:
    """Return a colour for each class.

    Args:
        count: How many classes there are.
        palette: That of ``METAINFO``; where it is none for so many classes
            (``random``, say), hues far apart are taken.
    """
    if isinstance(palette, Sequence) and not isinstance(palette, str):
        if len(palette) >= count and all(map(_is_colour, palette)):
            return [(int(r), int(g), int(b)) for r, g, b in palette[:count]]
    return [_hue((0.6 + index * _GOLDEN_ANGLE) % 1) for index in range(count)]


def readable(colour: Colour, ground: Colour) -> Colour:
    """Move a colour away from its background until it can be seen there."""
    target = 0 if contrast(ground, (0, 0, 0)) > contrast(ground, LIGHT) else 255
    for step in range(21):
        red, green, blue = (round(c + (target - c) * step / 20) for c in colour)
        if contrast((red, green, blue), ground) >= _LEAST_CONTRAST:
            break
    return red, green, blue


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of WCAG 2.2, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def css(colour: Colour) -> str:
    """Write a colour as a style sheet has it."""
    return '#{:02x}{:02x}{:02x}'.format(*colour)


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 3
        and all(isinstance(band, int) and 0 <= band <= 255 for band in value)
    )


def _hue(hue: float) -> Colour:
    red, green, blue = (round(255 * c) for c in colorsys.hls_to_rgb(hue, 0.5, 0.7))
    return red, green, blue


def _luminance(colour: Colour) -> float:
    shares = [band / 255 for band in colour]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
