"""Charts of counts, sizes and places: histograms, ranges, maps, dots."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.reporting.drawing import (
    BOTTOM,
    DIGIT,
    RIGHT,
    TOP,
    WIDTH,
    Tick,
    below,
    chart,
    count_steps,
    level,
    line,
    text,
    title,
)
from custom_datasets.reporting.markup import Html, clipped, element, extent

_HEIGHT = 200.0
_ROW = 36.0


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
    steps = count_steps(max(counts, default=0))
    left = 12 + DIGIT * max(len(tick.text) for tick in steps)
    across = (WIDTH - left - RIGHT) / max(len(counts), 1)
    up = (_HEIGHT - TOP - BOTTOM) / steps[-1].place
    floor = _HEIGHT - BOTTOM
    gap = min(2.0, across / 5)
    bars = [
        element(
            'rect',
            title(f'{count:,}'),
            x=left + index * across + gap / 2,
            y=floor - max(count * up, 1.0),
            width=across - gap,
            height=max(count * up, 1.0),
        )
        for index, count in enumerate(counts)
        if count
    ]
    return chart(
        'columns',
        label,
        _HEIGHT,
        text(unit, left, 10, 'start'),
        [level(floor - step.place * up, left, step.text) for step in steps],
        element('g', bars, class_='fill'),
        [below(left + t.place * across, floor, t.text) for t in ticks],
        text(axis, (left + WIDTH - RIGHT) / 2, _HEIGHT - 4),
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
                text(clipped(row.name, 44), left, y - 11, 'start'),
                line(p5, y, p95, y, 'whisker'),
                element(
                    'rect',
                    x=p25,
                    y=y - 5,
                    width=max(p75 - p25, 2.0),
                    height=10,
                    rx=2,
                    class_='box',
                ),
                line(p50, y - 7, p50, y + 7, 'middle'),
                class_=row.style,
            )
        )
    return chart(
        'ranges',
        label,
        floor + BOTTOM + 2,
        [line(place(value), 0, place(value), floor, 'grid') for value in values],
        drawn,
        [below(place(value), floor, marks(value)) for value in values],
        text(axis, WIDTH / 2, floor + BOTTOM - 2),
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
    wide = count_steps(max(x for x, _, _ in counts))
    tall = count_steps(max(y for _, y, _ in counts))
    left = 12 + DIGIT * max(len(tick.text) for tick in tall)
    floor = height - BOTTOM
    across = (WIDTH - left - 24) / wide[-1].place
    up = (floor - TOP) / tall[-1].place
    most = max(count for _, _, count in counts)
    points = [
        element(
            'circle',
            title(f'{extent(x, y)}: {count:,}'),
            cx=left + x * across,
            cy=floor - y * up,
            r=max(14 * (count / most) ** 0.5, 2.5),
        )
        for x, y, count in sorted(counts, key=lambda point: -point[2])
    ]
    return chart(
        'bubbles',
        label,
        height,
        text(axes.format('height'), left, 10, 'start'),
        [level(floor - step.place * up, left, step.text) for step in tall],
        element('g', points, class_='fill'),
        [below(left + step.place * across, floor, step.text) for step in wide],
        text(axes.format('width'), (left + WIDTH - 24) / 2, height - 4),
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


def interval_bar(value: float, low: float, high: float, style: str) -> Html:
    """Draw a share, 0 to 1, as a mark on the interval that it is in.

    The full width is 0 to 1, so that bars below each other can be compared.
    """
    width = max(high - low, 0.01)
    return element(
        'svg',
        element('rect', y=3, width=100, height=2, class_='rest'),
        element(
            'rect',
            x=100 * min(low, 1 - width),
            width=100 * width,
            height=8,
            class_='box',
        ),
        element(
            'rect',
            x=min(max(100 * value - 0.8, 0.0), 98.4),
            width=1.6,
            height=8,
            class_='mark-here',
        ),
        viewBox='0 0 100 8',
        preserveAspectRatio='none',
        class_=f'interval {style}',
        aria_hidden='true',
    )
