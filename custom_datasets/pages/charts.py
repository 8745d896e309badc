"""Charts as SVG, in the colours of the page, dark or light."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from custom_datasets.pages.kit import clipped, extent

_WIDTH = 360.0
_TOP, _RIGHT, _BOTTOM = 22.0, 10.0, 38.0  # Room for marks and the names of axes.
_DIGIT = 7.0  # Width of a digit.
_COLUMNS_HEIGHT, _LINES_HEIGHT, _BUBBLES_HEIGHT = 200.0, 240.0, 300.0
_ROW = 36.0
_STEPS = 5
_MOST_POINTS = 600
_PEAK = 4  # Times the median: what lies above is a peak.


class Tick(NamedTuple):
    """A mark on an axis."""

    place: float
    text: str


class Row(NamedTuple):
    """A class in a chart: its 5th, 25th, 50th, 75th and 95th percentile."""

    name: str
    spread: tuple[float, float, float, float, float]
    style: str


class Axis(NamedTuple):
    """What is measured, and its range; a share from 0 to 1 by default.

    Of what is counted (``whole``), only whole numbers get a mark.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    whole: bool = False


class Line(NamedTuple):
    """A curve; ``points`` are x and y, and it breaks where one of them is NaN.

    ``style`` is a class of the style sheet (``c0``, ``c1``, ... or ``soft``), and may
    be followed by ``dashed``.
    """

    name: str
    style: str
    points: Sequence[Sequence[float]]


class Dot(NamedTuple):
    """A highlighted point, such as the threshold that was chosen."""

    name: str
    style: str
    x: float
    y: float


def columns(
    counts: Sequence[int], ticks: Iterable[Tick], axis: str, unit: str, label: str
) -> Markup:
    """Draw a histogram; places of ticks are counted in bins from the left edge."""
    steps = _count_steps(max(counts, default=0))
    left = _left_of(steps)
    across = (_WIDTH - left - _RIGHT) / max(len(counts), 1)
    up = (_COLUMNS_HEIGHT - _TOP - _BOTTOM) / steps[-1].place
    floor = _COLUMNS_HEIGHT - _BOTTOM
    gap = min(2.0, across / 5)
    bars = [
        _element(
            'rect',
            _element('title', f'{count:,}'),
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
        _COLUMNS_HEIGHT,
        _text(unit, left, 10, 'start'),
        *(_level(floor - step.place * up, left, step.text) for step in steps),
        _element('g', *bars, class_='fill'),
        *(_below(left + tick.place * across, floor, tick.text) for tick in ticks),
        _text(axis, (left + _WIDTH - _RIGHT) / 2, _COLUMNS_HEIGHT - 4),
    )


def ranges(
    rows: Sequence[Row], marks: Callable[[float], str], axis: str, label: str
) -> Markup:
    """Draw the middle half of each class, and the range of most of it.

    The axis is logarithmic, with a mark, written by ``marks``, at each power of two
    or, where there are many, at every second, third, ... of them.
    """
    low = math.floor(math.log2(min(row.spread[0] for row in rows)))
    high = max(math.ceil(math.log2(max(row.spread[4] for row in rows))), low + 1)
    left, right = 10.0, _WIDTH - 24.0
    floor = _ROW * len(rows)

    def place(value: float) -> float:
        return left + (math.log2(value) - low) / (high - low) * (right - left)

    values = [2.0**exponent for exponent in range(low, high + 1, -(-(high - low) // 8))]
    drawn = []
    for index, row in enumerate(rows):
        y = index * _ROW + 25
        p5, p25, p50, p75, p95 = map(place, row.spread)
        box = _element(
            'rect',
            x=p25,
            y=y - 5,
            width=max(p75 - p25, 2.0),
            height=10,
            rx=2,
            class_='box',
        )
        drawn.append(
            _element(
                'g',
                _text(clipped(row.name, 44), left, y - 11, 'start'),
                _line(p5, y, p95, y, 'whisker'),
                box,
                _line(p50, y - 7, p50, y + 7, 'middle'),
                class_=row.style,
            )
        )
    return _chart(
        'ranges',
        label,
        floor + _BOTTOM + 2,
        *(_line(place(value), 0, place(value), floor, 'grid') for value in values),
        *drawn,
        *(_below(place(value), floor, marks(value)) for value in values),
        _text(axis, _WIDTH / 2, floor + _BOTTOM - 2),
    )


def heat_map(grid: NDArray[np.intp], style: str, label: str) -> Markup:
    """Draw counts on a grid, shape (rows, columns), as shades of one colour."""
    rows, across = grid.shape
    most = max(int(grid.max()), 1)
    cells = [
        _element(
            'rect', x=x, y=y, width=1, height=1, opacity=f'{(grid[y, x] / most):.2f}'
        )
        for y, x in np.argwhere(grid * 100 > most).tolist()
    ]
    return _element(
        'svg',
        _element('g', *cells, class_='fill', shape_rendering='crispEdges'),
        viewBox=f'0 0 {across} {rows}',
        preserveAspectRatio='none',
        class_=f'heat {style}',
        role='img',
        aria_label=label,
    )


def bubbles(
    counts: Sequence[tuple[float, float, int]], axes: str, label: str
) -> Markup:
    """Draw points (width, height, count), with an area that shows the count.

    ``axes`` is what both measure, with ``{}`` for width or height.
    """
    wide = _count_steps(max(x for x, _, _ in counts))
    tall = _count_steps(max(y for _, y, _ in counts))
    left, floor = _left_of(tall), _BUBBLES_HEIGHT - _BOTTOM
    across = (_WIDTH - left - 24) / wide[-1].place
    up = (floor - _TOP) / tall[-1].place
    most = max(count for _, _, count in counts)
    points = [
        _element(
            'circle',
            _element('title', f'{extent(x, y)}: {count:,}'),
            cx=left + x * across,
            cy=floor - y * up,
            r=max(14 * (count / most) ** 0.5, 2.5),
        )
        for x, y, count in sorted(counts, key=lambda point: -point[2])
    ]
    return _chart(
        'bubbles',
        label,
        _BUBBLES_HEIGHT,
        _text(axes.format('height'), left, 10, 'start'),
        *(_level(floor - step.place * up, left, step.text) for step in tall),
        _element('g', *points, class_='fill'),
        *(_below(left + step.place * across, floor, step.text) for step in wide),
        _text(axes.format('width'), (left + _WIDTH - 24) / 2, _BUBBLES_HEIGHT - 4),
    )


def lines(
    curves: Sequence[Line],
    across: Axis,
    up: Axis,
    label: str,
    dots: Iterable[Dot] = (),
) -> Markup:
    """Draw curves over each other, the first at the bottom.

    What lies outside of the axes is not drawn. A curve of more than 600 points is
    thinned out evenly, so that the page stays small. Names are in the legend of the
    page, once for all charts that share them.
    """
    wide, tall = _ticks(across), _ticks(up)
    left, floor = _left_of(tall), _LINES_HEIGHT - _BOTTOM
    right = _WIDTH - _RIGHT - 6

    def x_place(value: float) -> float:
        return left + (value - across.low) / (across.high - across.low) * (right - left)

    def y_place(value: float) -> float:
        return floor - (value - up.low) / (up.high - up.low) * (floor - _TOP)

    def inside(x: float, y: float) -> bool:
        return _within(x, across) and _within(y, up)

    drawn = []
    for curve in curves:
        path, pen = '', 'M'
        for x, y in _thinned(curve.points):
            if inside(x, y):
                path += f'{pen}{x_place(x):.1f} {y_place(y):.1f}'
            pen = 'L' if inside(x, y) else 'M'
        title = _element('title', clipped(curve.name, 60))
        shape = _element('path', title, d=path)
        drawn.append(_element('g', shape, class_=f'curve {curve.style}'))
    marked = [
        _element(
            'circle',
            _element('title', clipped(dot.name, 60)),
            cx=x_place(dot.x),
            cy=y_place(dot.y),
            r=4,
            class_=f'dot {dot.style}',
        )
        for dot in dots
        if inside(dot.x, dot.y)
    ]
    xs = [x_place(tick.place) for tick in wide]
    return _chart(
        'lines',
        label,
        _LINES_HEIGHT,
        _text(up.name, left, 10, 'start'),
        *(_level(y_place(tick.place), left, tick.text) for tick in tall),
        *(_line(x, _TOP, x, floor, 'grid') for x in xs),
        *drawn,
        *marked,
        *(_below(x, floor, tick.text) for x, tick in zip(xs, wide, strict=True)),
        _text(across.name, (left + right) / 2, _LINES_HEIGHT - 4),
    )


def fitted_axis(
    name: str,
    values: Iterable[float],
    from_zero: bool = True,
    high: float | None = None,
) -> Axis:
    """Return an axis that reaches to a round number just beyond all values.

    It starts at 0 unless ``from_zero`` is False or a value is below; ``high`` ends it
    instead, so that a peak does not flatten the rest. NaN and infinity are left out.
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, most = min(finite), max(finite) if high is None else high
    if from_zero:
        low = min(low, 0.0)
    if most <= low:
        most = low + (abs(low) or 1.0)
    whole = all(float(value).is_integer() for value in finite)
    step = _axis_step(Axis(name, low, most, whole))
    low = math.floor(low / step + 1e-9) * step
    return Axis(name, low, math.ceil(most / step - 1e-9) * step, whole)


def peak_limit(values: Iterable[float]) -> float | None:
    """Return where to end an axis so that a first peak does not flatten the rest."""
    finite = sorted(value for value in values if math.isfinite(value))
    limit = _PEAK * finite[len(finite) // 2] if finite else 0.0
    return limit if finite and finite[-1] > limit > 0 else None


def _count_steps(most: float) -> list[Tick]:
    step = max(math.ceil(_round_step(max(most, 1) / 4)), 1)
    count = max(math.ceil(most / step), 1)
    return [Tick(i * step, f'{i * step:,.0f}') for i in range(count + 1)]


def _round_step(rough: float) -> float:
    """Return the next 1, 2, 2.5 or 5 times a power of ten."""
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(f * unit for f in (1, 2, 2.5, 5, 10) if f * unit >= rough)


def _axis_step(axis: Axis) -> float:
    step = _round_step((axis.high - axis.low) / _STEPS)
    return max(math.ceil(step), 1) if axis.whole else step


def _within(value: float, axis: Axis) -> bool:
    slack = 1e-9 * (axis.high - axis.low)
    return axis.low - slack <= value <= axis.high + slack


def _ticks(axis: Axis) -> list[Tick]:
    step = _axis_step(axis)
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
    kept = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(kept) > _MOST_POINTS:
        rows = np.linspace(0, len(kept) - 1, _MOST_POINTS).round().astype(int)
        kept = kept[rows]
    thinned: list[list[float]] = kept.tolist()
    return thinned


def _left_of(steps: Sequence[Tick]) -> float:
    return 12 + _DIGIT * max(len(step.text) for step in steps)


def _chart(kind: str, label: str, height: float, *content: Markup) -> Markup:
    return _element(
        'svg',
        *content,
        viewBox=f'0 0 {_WIDTH:g} {height:g}',
        class_=f'chart {kind}',
        role='img',
        aria_label=label,
    )


def _level(y: float, left: float, mark: str) -> Markup:
    return _element(
        'g',
        _line(left, y, _WIDTH - _RIGHT, y, 'grid'),
        _text(mark, left - 6, y + 4, 'end'),
    )


def _below(x: float, floor: float, mark: str) -> Markup:
    return _text(mark, x, floor + 15)


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    return _element('line', x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def _text(words: str, x: float, y: float, anchor: str = 'middle') -> Markup:
    return _element('text', words, x=x, y=y, text_anchor=anchor)


def _element(name: str, *content: str, **attributes: str | float) -> Markup:
    """Write an element; ``class_`` becomes ``class``, ``text_anchor`` text-anchor.

    Coordinates have one decimal: a tenth of a pixel is not visible.
    """
    written = ''.join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
    )
    inner = Markup('').join(content)
    return Markup(f'<{name}{written}>{inner}</{name}>')


def _plain(value: str | float) -> str:
    return f'{value:.1f}'.removesuffix('.0') if isinstance(value, float) else str(value)
