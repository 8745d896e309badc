"""What every page is: one self-contained HTML file, written by a template."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from custom_datasets.evaluation.intervals import Interval
from custom_datasets.predicting.colours import Colour

LIGHT: Colour = (255, 255, 255)
DARK: Colour = (22, 25, 31)
"""What charts are drawn on."""

MOST_BYTES = 8_000_000
"""No page is larger, whatever the data: pictures are limited in number and in size,
tables in rows, names in length."""

MOST_CLASSES = 60
"""Classes that a table has."""

MOST_COLOURS = 100
"""Beyond this number, classes share colours."""

NOTHING = '\N{EN DASH}'
"""Shown where a number is not defined."""


def readable(colour: Colour, ground: Colour) -> Colour:
    """Move a colour away from its background until it is visible there."""
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
    """Write a colour for a style sheet."""
    return '#{:02x}{:02x}{:02x}'.format(*colour)


def class_styles(classes: Sequence[str]) -> dict[str, str]:
    """Return the class of the style sheet for each class name."""
    return {name: f'c{index % MOST_COLOURS}' for index, name in enumerate(classes)}


def decimal(value: float | None) -> str:
    """Write a share with three decimals."""
    return NOTHING if value is None else f'{value:.3f}'


def interval(metric: Interval) -> str:
    """Write the limits of a metric; nothing where they are not defined."""
    low, high = metric['low'], metric['high']
    return '' if low is None or high is None else f'{low:.3f} to {high:.3f}'


def with_interval(metric: Interval) -> str:
    """Write a metric, and its interval in brackets."""
    limits = interval(metric)
    return decimal(metric['value']) + (f' ({limits})' if limits else '')


def percent(share: float) -> str:
    """Write a share, 0 to 1, as a percentage; with a decimal below 10 %."""
    return f'{share:.1%}' if share < 0.1 else f'{share:.0%}'


def whole(count: int) -> str:
    """Write a count with commas between thousands."""
    return f'{count:,}'


def plural(count: int, what: str, many: str = '') -> str:
    """Write a count and what is counted; ``many`` is an irregular plural."""
    return f'{count:,} {what if count == 1 else many or f"{what}s"}'


def extent(width: float, height: float) -> str:
    """Write a width and a height."""
    return f'{width:g}\N{MULTIPLICATION SIGN}{height:g}'


def clipped(text: str, most: int = 80) -> str:
    """Shorten a text from the data, so that the page stays small."""
    return text if len(text) <= most else f'{text[: most - 1]}…'


def columns(text: str) -> int:
    """Count how many Latin letters are as wide as a text; East Asian ones are two."""
    return sum(1 + (east_asian_width(char) in 'WF') for char in text)


def frame_ratio(width: float, height: float) -> float:
    """Return width over height of a frame: that of the image, within limits."""
    return min(max(width / height, 0.75), 1.8)


def base_name(path: str) -> str:
    """Return a file's name without its folders, clipped."""
    return clipped(os.path.basename(path), 60)


def joints(name: str) -> Markup:
    """Let a name break after ``_``, ``.`` and ``-`` rather than anywhere."""
    return Markup('<wbr>').join(re.split(r'(?<=[_.-])(?=[^_.-])', name))


def render(
    template: str,
    *,
    heading: str,
    kind: str,
    colours: Sequence[Colour] = (),
    frame: float = 1.0,
    **content: Any,
) -> bytes:
    """Return a whole page, from a file in ``templates/`` that extends ``page.html``.

    ``kind`` is the sort of report, for the browser's tab; ``colours`` are those of the
    classes ``c0``, ``c1``, ... of the style sheet; ``frame`` is width over height of
    most pictures. A name that the template needs and ``content`` lacks is an error.
    """
    text = environment.get_template(template).render(
        heading=clipped(heading),
        kind=kind,
        colours=colours,
        frame=frame,
        sections={},
        **content,
    )
    # A file name may have bytes that are not text.
    page = text.encode('utf-8', 'backslashreplace')
    assert len(page) < MOST_BYTES
    return page


_HERE = Path(__file__).parent
_LEAST_CONTRAST = 3.0  # For graphics: WCAG 2.2, success criterion 1.4.11.


def _luminance(colour: Colour) -> float:
    shares = [band / 255 for band in colour]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _style_sheet(colours: Sequence[Colour]) -> Markup:
    """Return the sheet, with a class ``c0``, ``c1``, ... for each colour.

    Over an image a colour stays as it is; in charts it has to be :func:`readable`.
    """
    light, dark = '', ''
    for index, colour in enumerate(colours):
        seen = css(readable(colour, LIGHT))
        light += f'.c{index} {{ --original: {css(colour)}; --seen: {seen}; }}\n'
        dark += f'.c{index} {{ --seen: {css(readable(colour, DARK))}; }}\n'
    sheet = (_HERE / 'style.css').read_text('utf-8')
    return Markup(f'{sheet}{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n')


def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / 'templates'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=['jinja2.ext.do'],
    )
    filters = (
        *(base_name, clipped, columns, decimal, interval, joints),
        *(percent, plural, whole, with_interval),
    )
    environment.filters |= {function.__name__: function for function in filters}
    script = Markup((_HERE / 'script.js').read_text('utf-8'))
    environment.globals |= {
        'style_sheet': _style_sheet,
        'script': script,
        'extent': extent,
        'MOST_CLASSES': MOST_CLASSES,
        'NOTHING': NOTHING,
    }
    return environment


environment = _make_environment()
"""Where templates are found, with filters and names that all of them use."""
