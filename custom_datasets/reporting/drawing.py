"""What charts are drawn with, as inline SVG.

Not matplotlib, whose SVG of one histogram is 20 kB and more, with text that is
as small on a phone as the whole drawing; not plotly, whose script alone is over
3 MB. Charts are drawn for a width of 360 pixels, which is that of a phone, and
take their colours from the page's style sheet, light or dark.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from custom_datasets.reporting.markup import Html, element

WIDTH = 360.0
TOP, RIGHT, BOTTOM = 22.0, 10.0, 38.0
"""Room around what is drawn, for the marks and the names of the axes."""

DIGIT = 7.0
"""Width of a digit."""


class Tick(NamedTuple):
    """A mark on an axis."""

    place: float
    text: str


def count_steps(most: float) -> list[Tick]:
    """Return round whole marks from 0 to just beyond a count."""
    rough = max(most, 1) / 4
    step = round_step(rough)
    step = max(step if float(step).is_integer() else math.ceil(step), 1)
    count = max(math.ceil(most / step), 1)
    return [Tick(i * step, f'{i * step:,.0f}') for i in range(count + 1)]


def round_step(rough: float) -> float:
    """Return the next 1, 2, 2.5 or 5 times a power of ten."""
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(f * unit for f in (1, 2, 2.5, 5, 10) if f * unit >= rough)


def chart(
    kind: str, label: str, height: float, *content: Iterable[Html] | Html
) -> Html:
    """Write the chart around what is drawn.

    Args:
        kind: Its class of the style sheet.
        label: What it says, for those who can't see it.
        height: In the units that ``WIDTH`` is in.
        *content: What is drawn.
    """
    return element(
        'svg',
        *content,
        viewBox=f'0 0 {WIDTH:g} {height:g}',
        class_=f'chart {kind}',
        role='img',
        aria_label=label,
    )


def level(y: float, left: float, mark: str) -> Html:
    """Draw a line across, with its mark on the left."""
    return element(
        'g',
        line(left, y, WIDTH - RIGHT, y, 'grid'),
        text(mark, left - 6, y + 4, 'end'),
    )


def below(x: float, floor: float, mark: str) -> Html:
    """Write a mark of the horizontal axis."""
    return text(mark, x, floor + 15)


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Html:
    """Draw a straight line."""
    return element('line', x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def text(words: str, x: float, y: float, anchor: str = 'middle') -> Html:
    """Write a text on one line."""
    return element('text', words, x=x, y=y, text_anchor=anchor)


def title(words: str) -> Html:
    """Write what a pointer over a shape shows."""
    return element('title', words)
