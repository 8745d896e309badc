"""The part of the page on boxes: how large, of what shape, and where."""

from collections.abc import Callable, Sequence

import numpy as np

from custom_datasets.reporting.charts import Row, columns, heat_map, ranges
from custom_datasets.reporting.drawing import Tick
from custom_datasets.reporting.gather import Report
from custom_datasets.reporting.layout import class_name, figure, number, section, table
from custom_datasets.reporting.markup import Content, Html, clipped, element, extent
from custom_datasets.reporting.overview import MOST_CLASSES
from custom_datasets.reporting.statistics import (
    Boxes,
    Histogram,
    collect_boxes,
    doublings,
    position_grid,
    size_groups,
    spread,
)

_IN_CHARTS = 12
_MAPS = 7
_MOST_RATIO = 16.0
_SIDE = 'side of a square of equal area, pixels'
_SHAPE = 'width : height'
_RANGES = 'Line: nine of ten boxes. Bar: the middle half. Mark: the median.'

Named = tuple[str, str, Boxes]
"""A class, its class of the style sheet, and its boxes."""


def boxes_section(report: Report) -> Html | None:
    """Write about boxes; None where there are none."""
    boxes = collect_boxes(report.parts, report.sizes)
    if not len(boxes.labels):
        return None
    styles = report.styles
    named = [(n, styles[n], boxes.of_class(i)) for i, n in enumerate(report.classes)]
    by_class = [found for found in named if len(found[2].labels)]
    by_class.sort(key=lambda found: -len(found[2].labels))
    maps = by_class[:_MAPS] if len(by_class) > 1 else []
    return section(
        'boxes',
        'Boxes',
        element('div', _charts(boxes, by_class[:_IN_CHARTS]), class_='figures'),
        _size_table(by_class[:MOST_CLASSES]),
        element('h3', 'Position'),
        element('p', 'Where the centres of boxes lie: the stronger, the more of them.'),
        element(
            'div', _map('all', 'all', boxes), [_map(*c) for c in maps], class_='maps'
        ),
    )


def _charts(boxes: Boxes, by_class: Sequence[Named]) -> list[Html | None]:
    low, _, middle, _, high = spread(boxes.sides)
    size = (
        f'Nine of ten are {low:.0f} to {high:.0f} pixels, the median is {middle:.0f}.'
    )
    low, _, middle, _, high = spread(boxes.ratios)
    shape = (
        f'Nine of ten are {_ratio(low)} to {_ratio(high)}, the median is '
        f'{_ratio(middle)}.'
    )
    sides, ratios = doublings(boxes.sides, 2), doublings(boxes.ratios, 4, _MOST_RATIO)
    side_rows = [
        Row(name, spread(found.sides), style) for name, style, found in by_class
    ]
    ratio_rows = [
        Row(name, spread(found.ratios), style) for name, style, found in by_class
    ]
    return [
        figure('Size', size, _doublings_chart(sides, 2, _plain, _SIDE, size)),
        _ranges_figure('Size by class', side_rows, _plain, _SIDE),
        figure('Shape', shape, _doublings_chart(ratios, 4, _ratio, _SHAPE, shape)),
        _ranges_figure('Shape by class', ratio_rows, _ratio, _SHAPE),
    ]


def _ranges_figure(
    title: str, rows: Sequence[Row], marks: Callable[[float], str], axis: str
) -> Html | None:
    if len(rows) < 2:
        return None
    return figure(title, _RANGES, ranges(rows, marks, axis, title))


def _doublings_chart(
    histogram: Histogram,
    bins: int,
    marks: Callable[[float], str],
    axis: str,
    label: str,
) -> Html:
    ticks = [
        Tick(place, marks(edge))
        for place, edge in enumerate(histogram.edges)
        if place % bins == 0
    ]
    ticks = ticks[:: -(-len(ticks) // 9)]
    return columns(histogram.counts, ticks, axis, 'boxes', label)


def _plain(value: float) -> str:
    return f'{value:g}'


def _ratio(value: float) -> str:
    more = max(value, 1 / value)
    text = f'{more:.2g}' if more < 10 else f'{more:.0f}'
    return f'{text}:1' if value >= 1 else f'1:{text}'


def _size_table(by_class: Sequence[Named]) -> Html:
    rows: list[list[Content]] = []
    for name, style, boxes in by_class:
        middle = np.median(boxes.corners[:, 2:] - boxes.corners[:, :2], axis=0)
        groups = [number(count) for count in size_groups(boxes)]
        size = number(extent(*middle.round()))
        rows.append([class_name(name, style), size, *groups])
    return table(
        'Median width and height in pixels, and how many are small (an area below that '
        'of 32 by 32 pixels), medium and large (96 by 96 and more), as in COCO.',
        ['Class', 'median', 'small', 'medium', 'large'],
        rows,
    )


def _map(name: str, style: str, boxes: Boxes) -> Html:
    grid = position_grid(boxes.centres)
    return element(
        'figure',
        heat_map(grid, style, f'Positions of {clipped(name, 60)}'),
        element('figcaption', clipped(name, 60)),
    )
