"""Charts: inside their frame, on their axes, and true to the numbers."""

import math
import re

import numpy as np
import pytest

from custom_datasets.pages.charts import (
    Axis,
    Dot,
    Line,
    Row,
    Tick,
    bubbles,
    columns,
    fitted_axis,
    heat_map,
    lines,
    peak_limit,
    ranges,
)
from tests.pages.parsing import Page

NAN = float('nan')


def inside(html):
    """Read a chart, of which nothing may lie outside."""
    page = Page(html)
    width, height = map(float, page.all('svg')[0]['viewbox'].split()[2:])
    for rect in page.all('rect'):
        x, y, w, h = (float(rect[key]) for key in ('x', 'y', 'width', 'height'))
        assert 0 <= x <= x + w <= width + 0.11
        assert 0 <= y <= y + h <= height + 0.11
    for text in page.all('text'):
        assert 0 <= float(text['x']) <= width
        assert 0 <= float(text['y']) <= height
    for line in page.all('line'):
        assert 0 <= float(line['x1']) <= float(line['x2']) <= width
        assert 0 <= float(line['y1']) <= float(line['y2']) <= height
    return page


def marks(html):
    return re.findall('>([^<]+)</text>', html)


def draw(points, across=Axis('x'), up=Axis('y'), dots=()):  # noqa: B008
    return lines([Line('<one>' * 99, 'c0', points)], across, up, 'a chart', dots)


def corners(html):
    """Return the corners of the first curve, a list for each unbroken part."""
    path = Page(html).all('path')[0]['d']
    return [
        [tuple(map(float, corner.split())) for corner in part.split('L')]
        for part in path.split('M')
        if part
    ]


def test_columns_are_as_high_as_the_counts():
    ticks = [Tick(0, '0'), Tick(2, '2')]
    html = columns([2, 0, 4, 1_000], ticks, 'pixels', 'boxes', 'a chart')
    page = inside(html)
    low, middle, high = (float(bar['height']) for bar in page.all('rect'))
    assert high > 100 * middle
    assert low >= 1  # A rare bin is still seen.
    assert page.all('svg')[0]['aria-label'] == 'a chart'
    assert {'pixels', 'boxes', '0', '2', '500'} <= set(marks(html))


@pytest.mark.parametrize(
    ('counts', 'up'),
    [
        ([0], '0 1'),
        ([1], '0 1'),
        ([3, 4], '0 1 2 3 4'),
        ([78], '0 20 40 60 80'),
        ([10**9, 1], '0 250,000,000 500,000,000 750,000,000 1,000,000,000'),
    ],
)
def test_counts_have_round_whole_marks(counts, up):
    html = columns(counts, [], 'x', 'y', 'z')
    inside(html)
    assert marks(html)[1:-1] == up.split()


@pytest.mark.parametrize('high', [1.5, 100.0, 1e9])
def test_ranges_stay_in_their_frame(high):
    rows = [Row('<cat>', (1, 1, 1, 1, 1), 'c0')]
    rows.append(Row('dog', (1, 1, high, high, high), 'c1'))
    page = inside(ranges(rows, '{:g}'.format, 'x', 'y'))
    assert len(page.all('rect', 'box')) == 2
    assert len(page.all('line', 'grid')) <= 10
    assert '<cat>' in page.text


def test_a_heat_map_has_a_cell_where_something_is():
    cells = Page(heat_map(np.array([[0, 4], [1, 0]]), 'c0', 'a map')).all('rect')
    assert [(c['x'], c['y'], c['opacity']) for c in cells] == [
        ('1', '0', '1.00'),
        ('0', '1', '0.25'),
    ]
    assert not Page(heat_map(np.zeros((2, 2), int), 'c0', 'empty')).all('rect')


def test_bubbles_have_areas_by_count():
    html = bubbles([(640, 480, 400), (100, 50, 100)], '{} px', 'sizes')
    first, second = Page(html).all('circle')
    assert float(first['r']) == 2 * float(second['r'])
    assert 'width px' in html and 'height px' in html


@pytest.mark.parametrize('high', [1e-6, 1.0, 10.0, 1e9])
def test_a_curve_goes_from_corner_to_corner(high):
    points = [(0, 0), (high / 2, high / 2), (high, high)]
    page = inside(draw(points, Axis('x', 0, high), Axis('y', 0, high)))
    ((low, middle, top),) = corners(
        draw(points, Axis('x', 0, high), Axis('y', 0, high))
    )
    grid = page.all('line')
    level = [line for line in grid if line['y1'] == line['y2']]
    upright = [line for line in grid if line['x1'] == line['x2']]
    assert low == (float(upright[0]['x1']), float(level[0]['y1']))
    assert top == (float(upright[-1]['x1']), float(level[-1]['y1']))
    for start, half, end in zip(low, middle, top, strict=True):
        assert half == pytest.approx((start + end) / 2, abs=0.11)
    assert low[0] < top[0] and low[1] > top[1]


def test_a_gap_breaks_the_line():
    parts = corners(draw([(0, 0), (0.2, 0.5), (0.4, NAN), (0.6, 0.5), (1, 1)]))
    assert [len(part) for part in parts] == [2, 2]


def test_what_is_outside_is_not_drawn():
    points = [(0.5, 0.5), (0.6, 7), (NAN, 0.1), (0.7, math.inf), (-1, 0.2)]
    dots = [Dot('here', 'c0', 0.5, 0.5), Dot('there', 'c0', 2, 0.5)]
    html = draw(points, dots=dots)
    assert [len(part) for part in corners(html)] == [1]
    assert len(Page(html).all('circle')) == 1
    assert 'here' in html and 'there' not in html


def test_a_point_on_the_edge_is_inside_whatever_the_rounding():
    values = [0.00099999999999, 0.001, 0.0010000000000000002]
    (kept,) = corners(
        draw(
            [(x, y) for x, y in enumerate(values)],
            Axis('x', 0, 2),
            fitted_axis('rate', values),
        )
    )
    assert len(kept) == 3


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    points = [(index / 99_999, 0.5) for index in range(100_000)]
    (kept,) = corners(draw(points))
    (ends,) = corners(draw([points[0], points[-1]]))
    assert len(kept) == 600
    assert [kept[0], kept[-1]] == ends


def test_no_points_are_no_error_and_names_are_escaped_and_clipped():
    html = draw([])
    assert corners(html) == []
    assert '<one>' not in html and len(html) < 10_000
    assert not Page(lines([], Axis('x'), Axis('y'), 'nothing')).all('path')


@pytest.mark.parametrize(
    ('values', 'axis'),
    [
        ([0.13, 0.97], (0, 1)),
        ([3.2, 0.4, NAN], (0, 4)),
        ([-0.3, 0.3], (-0.4, 0.4)),
        ([math.inf], (0, 1)),
        ([], (0, 1)),
        ([0, 0], (0, 1)),
        ([12_345], (0, 12_500)),
        ([2e-5], (0, 2e-5)),
    ],
)
def test_an_axis_fits_its_values(values, axis):
    fitted = fitted_axis('loss', values)
    assert fitted.name == 'loss'
    assert fitted[1:3] == pytest.approx(axis)


def test_an_axis_may_start_at_its_values_or_end_before_them():
    assert fitted_axis('AP', [0.61, 0.69], from_zero=False)[1:3] == pytest.approx(
        (0.6, 0.7)
    )
    assert fitted_axis('loss', [0.5, 900.0], high=2.0)[1:3] == pytest.approx((0, 2))
    assert fitted_axis('flat', [5.5, 5.5], from_zero=False)[1:3] == pytest.approx(
        (4, 12)
    )


def test_a_peak_is_what_lies_far_above_the_median():
    assert peak_limit([900.0, 0.5, 0.4, 0.3, NAN]) == pytest.approx(4 * 0.5)
    assert peak_limit([1.5, 0.5, 0.4]) is None
    assert peak_limit([]) is None and peak_limit([0.0, 0.0]) is None


@pytest.mark.parametrize(
    ('axis', 'expected'),
    [
        (Axis('a', 0, 1), '0.0 0.2 0.4 0.6 0.8 1.0'),
        (Axis('a', 0, 12_500), '0 2,500 5,000 7,500 10,000 12,500'),
        (Axis('a', 0, 1.25), '0.00 0.25 0.50 0.75 1.00 1.25'),
        (Axis('a', -0.4, 0.4), '-0.4 -0.2 0.0 0.2 0.4'),
        (Axis('a', 0, 2e-5), '0.000000 0.000005 0.000010 0.000015 0.000020'),
        (fitted_axis('epoch', range(1, 13)), '0 3 6 9 12'),
    ],
)
def test_marks_are_round(axis, expected):
    found = marks(lines([], axis, Axis('up', 0, 7), 'z'))
    assert found[-1 - len(expected.split()) : -1] == expected.split()
