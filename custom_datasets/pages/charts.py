"""Charts of counts, sizes and places: histograms, ranges, maps, dots."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.pages.kit import Html, clipped, element, extent

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


_LINES_HEIGHT = 240.0
_TICKS = 5
_MOST_POINTS = 600


class Axis(NamedTuple):
    """What is measured, and from where to where; a share from 0 to 1 by default."""

    name: str
    low: float = 0.0
    high: float = 1.0


class Line(NamedTuple):
    """A curve.

    Attributes:
        name: What a pointer over it shows.
        style: Class of the style sheet that colours it (``c0``, ``c1``, ... or
            ``soft``), and after a blank ``dashed`` or not.
        points: Shape (points, 2), x and y. The line breaks where one is NaN.
    """

    name: str
    style: str
    points: Sequence[Sequence[float]]


class Dot(NamedTuple):
    """A point to be seen: the threshold that was chosen, the last epoch."""

    name: str
    style: str
    x: float
    y: float


def lines(
    curves: Sequence[Line],
    across: Axis,
    up: Axis,
    label: str,
    dots: Iterable[Dot] = (),
) -> Html:
    """Draw curves over each other.

    What lies outside of the axes is not drawn. A curve of more than 600 points
    is thinned out evenly, so that no page grows with them. The caller writes
    the names (:func:`custom_datasets.pages.kit.legend`), once for all
    charts that share them.

    Args:
        curves: The first lies below the others.
        across: The horizontal axis.
        up: The vertical axis.
        label: What the chart says, for those who can't see it.
        dots: Points that are marked.
    """
    wide, tall = _ticks(across), _ticks(up)
    left = 12 + DIGIT * max(len(tick.text) for tick in tall)
    right, floor = WIDTH - RIGHT - 6, _LINES_HEIGHT - BOTTOM

    def x_place(value: float) -> float:
        return left + (value - across.low) / (across.high - across.low) * (right - left)

    def y_place(value: float) -> float:
        return floor - (value - up.low) / (up.high - up.low) * (floor - TOP)

    def inside(x: float, y: float) -> bool:
        return across.low <= x <= across.high and up.low <= y <= up.high

    drawn = []
    for curve in curves:
        path = []
        pen = 'M'
        for x, y in _thinned(curve.points):
            if inside(x, y):
                path.append(f'{pen}{x_place(x):.1f} {y_place(y):.1f}')
                pen = 'L'
            else:
                pen = 'M'
        shape = element('path', title(clipped(curve.name, 60)), d=''.join(path))
        drawn.append(element('g', shape, class_=f'curve {curve.style}'))
    marked = [
        element(
            'circle',
            title(clipped(dot.name, 60)),
            cx=x_place(dot.x),
            cy=y_place(dot.y),
            r=4,
            class_=f'dot {dot.style}',
        )
        for dot in dots
        if inside(dot.x, dot.y)
    ]
    return chart(
        'lines',
        label,
        _LINES_HEIGHT,
        text(up.name, left, 10, 'start'),
        [level(y_place(tick.place), left, tick.text) for tick in tall],
        [_upright(x_place(tick.place), floor) for tick in wide],
        drawn,
        marked,
        [below(x_place(tick.place), floor, tick.text) for tick in wide],
        text(across.name, (left + right) / 2, _LINES_HEIGHT - 4),
    )


def fitted_axis(
    name: str,
    values: Iterable[float],
    from_zero: bool = True,
    high: float | None = None,
) -> Axis:
    """Return an axis that reaches just beyond all values, to a round number.

    Args:
        name: What is measured.
        values: NaN and infinity are left out.
        from_zero: Start at 0, unless there are values below it.
        high: Where to end instead, so that a peak does not flatten the rest.
    """
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, most = min(known), max(known) if high is None else high
    if from_zero:
        low = min(low, 0.0)
    if most <= low:
        most = low + (abs(low) or 1.0)
    step = round_step((most - low) / _TICKS)
    return Axis(
        name, math.floor(low / step + 1e-9) * step, math.ceil(most / step - 1e-9) * step
    )


def _upright(x: float, floor: float) -> Html:
    return line(x, TOP, x, floor, 'grid')


def _ticks(axis: Axis) -> list[Tick]:
    step = round_step((axis.high - axis.low) / _TICKS)
    first = math.ceil(axis.low / step - 1e-9)
    last = math.floor(axis.high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    # A step of 0.25 has one digit more than its power of ten.
    if not math.isclose(round(step, digits), step, rel_tol=1e-6):
        digits += 1
    return [
        Tick(index * step, f'{index * step:,.{digits}f}')
        for index in range(first, last + 1)
    ]


def _thinned(points: Sequence[Sequence[float]]) -> list[list[float]]:
    found = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(found) > _MOST_POINTS:
        kept = np.linspace(0, len(found) - 1, _MOST_POINTS).round().astype(int)
        found = found[kept]
    thinned: list[list[float]] = found.tolist()
    return thinned
