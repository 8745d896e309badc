"""Charts of curves: one line a class or a run, over two axes with numbers."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from custom_datasets.reporting.drawing import (
    BOTTOM,
    DIGIT,
    RIGHT,
    TOP,
    WIDTH,
    Tick,
    below,
    chart,
    level,
    line,
    round_step,
    text,
    title,
)
from custom_datasets.reporting.markup import Html, clipped, element

_HEIGHT = 240.0
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
    the names (:func:`custom_datasets.reporting.layout.legend`), once for all
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
    right, floor = WIDTH - RIGHT - 6, _HEIGHT - BOTTOM

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
        _HEIGHT,
        text(up.name, left, 10, 'start'),
        [level(y_place(tick.place), left, tick.text) for tick in tall],
        [_upright(x_place(tick.place), floor) for tick in wide],
        drawn,
        marked,
        [below(x_place(tick.place), floor, tick.text) for tick in wide],
        text(across.name, (left + right) / 2, _HEIGHT - 4),
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
