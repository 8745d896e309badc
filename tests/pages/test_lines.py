"""Charts of curves: in their frame, on their axes, and no longer than needed."""

import math
import re

import pytest

from custom_datasets.pages.charts import Axis, Dot, Line, fitted_axis, lines
from tests.pages.parsing import Page

NAN = float('nan')


def draw(points, across=Axis('x'), up=Axis('y'), dots=()):  # noqa: B008
    return lines([Line('one', 'c0', points)], across, up, 'a chart', dots)


def places(html):
    """Return the corners of the first curve, a list for each unbroken part."""
    path = Page(html).all('path')[0]['d']
    return [
        [tuple(map(float, corner.split())) for corner in part.split('L')]
        for part in path.split('M')
        if part
    ]


def marks(html):
    return re.findall('>([^<]+)</text>', html)


def test_a_curve_goes_from_corner_to_corner():
    html = draw([(0, 0), (1, 1)])
    ((low, high),) = places(html)
    page = Page(html)
    level = [line for line in page.all('line') if line['y1'] == line['y2']]
    upright = [line for line in page.all('line') if line['x1'] == line['x2']]
    assert low == (float(upright[0]['x1']), float(level[0]['y1']))
    assert high == (float(upright[-1]['x1']), float(level[-1]['y1']))
    assert low[0] < high[0] and low[1] > high[1]
    assert page.all('svg')[0]['aria-label'] == 'a chart'
    assert {'x', 'y', '0.0', '0.2', '1.0'} <= set(marks(html))


def test_the_middle_is_in_the_middle():
    ((start, middle, end),) = places(draw([(2, 10), (4, 15), (6, 20)], *AXES))
    assert middle[0] == pytest.approx((start[0] + end[0]) / 2, abs=0.1)
    assert middle[1] == pytest.approx((start[1] + end[1]) / 2, abs=0.1)


AXES = Axis('epoch', 2, 6), Axis('loss', 10, 20)


def test_a_gap_breaks_the_line():
    parts = places(draw([(0, 0), (0.2, 0.5), (0.4, NAN), (0.6, 0.5), (1, 1)]))
    assert [len(part) for part in parts] == [2, 2]


def test_what_is_outside_is_not_drawn():
    points = [(0.5, 0.5), (0.6, 7), (NAN, 0.1), (0.7, math.inf), (-1, 0.2)]
    dots = [Dot('here', 'c0', 0.5, 0.5), Dot('there', 'c0', 2, 0.5)]
    html = draw(points, dots=dots)
    assert [len(part) for part in places(html)] == [1]
    assert len(Page(html).all('circle')) == 1
    assert 'here' in html and 'there' not in html


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    points = [(index / 99_999, 0.5) for index in range(100_000)]
    (kept,) = places(draw(points))
    (ends,) = places(draw([points[0], points[-1]]))
    assert len(kept) == 600
    assert [kept[0], kept[-1]] == ends


def test_no_points_are_no_error():
    assert places(draw([])) == []
    assert not Page(lines([], Axis('x'), Axis('y'), 'nothing')).all('path')


def test_names_are_escaped_and_clipped():
    curve = Line('<script>' + 'a' * 900, 'c0', [(0, 0)])
    html = lines([curve], Axis('x'), Axis('y'), 'z')
    assert '<script>' not in html
    assert len(html) < 10_000


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
    assert fitted[0] == 'loss'
    assert fitted[1:] == pytest.approx(axis)


def test_an_axis_may_start_at_its_values_or_end_before_them():
    assert fitted_axis('AP', [0.61, 0.69], from_zero=False)[1:] == pytest.approx(
        (0.6, 0.7)
    )
    assert fitted_axis('loss', [0.5, 900.0], high=2.0)[1:] == pytest.approx((0, 2))
    assert fitted_axis('flat', [5.0, 5.0], from_zero=False)[1:] == pytest.approx(
        (5, 10)
    )


@pytest.mark.parametrize(
    ('axis', 'expected'),
    [
        (Axis('a', 0, 1), '0.0 0.2 0.4 0.6 0.8 1.0'),
        (Axis('a', 0, 24), '0 5 10 15 20'),
        (Axis('a', 0, 12_500), '0 2,500 5,000 7,500 10,000 12,500'),
        (Axis('a', 0, 1.25), '0.00 0.25 0.50 0.75 1.00 1.25'),
        (Axis('a', -0.4, 0.4), '-0.4 -0.2 0.0 0.2 0.4'),
        (Axis('a', 0, 2e-5), '0.000000 0.000005 0.000010 0.000015 0.000020'),
    ],
)
def test_marks_are_round(axis, expected):
    html = lines([], axis, Axis('up', 0, 7), 'z')
    found = marks(html)
    assert found[-1 - len(expected.split()) : -1] == expected.split()


@pytest.mark.parametrize('high', [1e-6, 1.0, 7.0, 1e9])
def test_everything_is_inside_the_frame(high):
    page = Page(draw([(0, 0), (high, high)], Axis('x', 0, high), Axis('y', 0, high)))
    width, height = map(float, page.all('svg')[0]['viewbox'].split()[2:])
    for text in page.all('text'):
        assert 0 <= float(text['x']) <= width
        assert 0 <= float(text['y']) <= height
    for line in page.all('line'):
        assert 0 <= float(line['x1']) <= float(line['x2']) <= width
        assert 0 <= float(line['y1']) <= float(line['y2']) <= height
