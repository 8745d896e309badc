"""Charts as inline SVG.

Not matplotlib, whose SVG of one histogram is 20 kB and more, with text that is
as small on a phone as the whole drawing; not plotly, whose script alone is over
3 MB. These are drawn for a width of 360 pixels, which is that of a phone, and
take their colours from the page's style sheet, light or dark.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.reporting.markup import Html, clipped, element, extent

WIDTH = 360.0
_HEIGHT = 200.0
_TOP, _RIGHT, _BOTTOM = 22.0, 10.0, 38.0
_DIGIT = 7.0
_ROW = 36.0


class Tick(NamedTuple):
    """A mark on an axis."""

    place: float
    text: str


class Row(NamedTuple):
    """A class in a chart: its percentiles, see ``statistics.spread``."""

    name: str
    spread: tuple[float, float, float, float, float]
    style: str


def columns(
    counts: Sequence[int], ticks: Iterable[Tick], axis: str, unit: str, label: str
) -> Html:
    """Draw a histogram.

    Args:
        counts: One a bin.
        ticks: Marks; their places are counted in bins from the left edge.
        axis: What is counted along the horizontal axis.
        unit: What the columns count.
        label: What the chart says, for those who can't see it.
    """
    steps = _steps(max(counts, default=0))
    left = 12 + _DIGIT * max(len(tick.text) for tick in steps)
    across = (WIDTH - left - _RIGHT) / max(len(counts), 1)
    up = (_HEIGHT - _TOP - _BOTTOM) / steps[-1].place
    floor = _HEIGHT - _BOTTOM
    gap = min(2.0, across / 5)
    bars = [
        element(
            'rect',
            _title(f'{count:,}'),
            x=left + index * across + gap / 2,
            y=floor - max(count * up, 1.0),
            width=across - gap,
            height=max(count * up, 1.0),
        )
        for index, count in enumerate(counts)
        if count
    ]
    return _chart(
        'columns',
        label,
        _HEIGHT,
        _text(unit, left, 10, 'start'),
        [_level(floor - step.place * up, left, step.text) for step in steps],
        element('g', bars, class_='fill'),
        [_below(left + t.place * across, floor, t.text) for t in ticks],
        _text(axis, (left + WIDTH - _RIGHT) / 2, _HEIGHT - 4),
    )


def ranges(
    rows: Sequence[Row], marks: Callable[[float], str], axis: str, label: str
) -> Html:
    """Draw for each class where its middle half and most of it lie.

    The axis is logarithmic with a mark at each power of two, or at each fourth
    of a power where there are many.

    Args:
        rows: One a class.
        marks: Writes the text of a mark.
        axis: What is measured along the horizontal axis.
        label: What the chart says, for those who can't see it.
    """
    low = math.floor(math.log2(min(row.spread[0] for row in rows)))
    high = max(math.ceil(math.log2(max(row.spread[4] for row in rows))), low + 1)
    left, right = 10.0, WIDTH - 24.0

    def place(value: float) -> float:
        return left + (math.log2(value) - low) / (high - low) * (right - left)

    floor = _ROW * len(rows)
    every = math.ceil((high - low) / 8)
    values = [2.0**exponent for exponent in range(low, high + 1, every)]
    drawn = []
    for index, row in enumerate(rows):
        y = index * _ROW + 25
        p5, p25, p50, p75, p95 = map(place, row.spread)
        drawn.append(
            element(
                'g',
                _text(clipped(row.name, 44), left, y - 11, 'start'),
                _line(p5, y, p95, y, 'whisker'),
                element(
                    'rect',
                    x=p25,
                    y=y - 5,
                    width=max(p75 - p25, 2.0),
                    height=10,
                    rx=2,
                    class_='box',
                ),
                _line(p50, y - 7, p50, y + 7, 'middle'),
                class_=row.style,
            )
        )
    return _chart(
        'ranges',
        label,
        floor + _BOTTOM + 2,
        [_line(place(value), 0, place(value), floor, 'grid') for value in values],
        drawn,
        [_below(place(value), floor, marks(value)) for value in values],
        _text(axis, WIDTH / 2, floor + _BOTTOM - 2),
    )


def heat_map(grid: NDArray[np.intp], style: str, label: str) -> Html:
    """Draw counts on a grid, shape (rows, columns), as shades of one colour."""
    rows, across = grid.shape
    most = max(int(grid.max()), 1)
    cells = [
        element(
            'rect', x=x, y=y, width=1, height=1, opacity=f'{(grid[y, x] / most):.2f}'
        )
        for y, x in np.argwhere(grid * 100 > most).tolist()
    ]
    return element(
        'svg',
        element('g', cells, class_='fill', shape_rendering='crispEdges'),
        viewBox=f'0 0 {across} {rows}',
        preserveAspectRatio='none',
        class_=f'heat {style}',
        role='img',
        aria_label=label,
    )


def bubbles(counts: Sequence[tuple[float, float, int]], axes: str, label: str) -> Html:
    """Draw points by width and height, whose area shows how many they are.

    Args:
        counts: Width, height and number of each point.
        axes: What both axes measure, with ``{}`` for width or height.
        label: What the chart says, for those who can't see it.
    """
    height = 300.0
    wide = _steps(max(x for x, _, _ in counts))
    tall = _steps(max(y for _, y, _ in counts))
    left = 12 + _DIGIT * max(len(tick.text) for tick in tall)
    floor = height - _BOTTOM
    across = (WIDTH - left - 24) / wide[-1].place
    up = (floor - _TOP) / tall[-1].place
    most = max(count for _, _, count in counts)
    points = [
        element(
            'circle',
            _title(f'{extent(x, y)}: {count:,}'),
            cx=left + x * across,
            cy=floor - y * up,
            r=max(14 * (count / most) ** 0.5, 2.5),
        )
        for x, y, count in sorted(counts, key=lambda point: -point[2])
    ]
    return _chart(
        'bubbles',
        label,
        height,
        _text(axes.format('height'), left, 10, 'start'),
        [_level(floor - step.place * up, left, step.text) for step in tall],
        element('g', points, class_='fill'),
        [_below(left + step.place * across, floor, step.text) for step in wide],
        _text(axes.format('width'), (left + WIDTH - 24) / 2, height - 4),
    )


def share_bar(share: float, style: str) -> Html:
    """Draw a share, 0 to 1, as a bar of full width or less."""
    return element(
        'svg',
        element('rect', width=100, height=4, class_='rest'),
        element('rect', width=share * 100, height=4, class_='fill'),
        viewBox='0 0 100 4',
        preserveAspectRatio='none',
        class_=f'bar {style}',
        aria_hidden='true',
    )


def _steps(most: float) -> list[Tick]:
    """Return round marks from 0 to just beyond a value."""
    rough = max(most, 1) / 4
    unit = 10 ** math.floor(math.log10(rough))
    step = next(f * unit for f in (1, 2, 2.5, 5, 10) if f * unit >= rough)
    step = max(step if float(step).is_integer() else math.ceil(step), 1)
    count = max(math.ceil(most / step), 1)
    return [Tick(i * step, f'{i * step:,.0f}') for i in range(count + 1)]


def _chart(
    kind: str, label: str, height: float, *content: Iterable[Html] | Html
) -> Html:
    return element(
        'svg',
        *content,
        viewBox=f'0 0 {WIDTH:g} {height:g}',
        class_=f'chart {kind}',
        role='img',
        aria_label=label,
    )


def _level(y: float, left: float, text: str) -> Html:
    return element(
        'g',
        _line(left, y, WIDTH - _RIGHT, y, 'grid'),
        _text(text, left - 6, y + 4, 'end'),
    )


def _below(x: float, floor: float, text: str) -> Html:
    return _text(text, x, floor + 15)


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> Html:
    return element('line', x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def _text(text: str, x: float, y: float, anchor: str = 'middle') -> Html:
    return element('text', text, x=x, y=y, text_anchor=anchor)


def _title(text: str) -> Html:
    return element('title', text)
