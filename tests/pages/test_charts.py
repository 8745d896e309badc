"""Charts: well-formed, inside their frame, and true to the numbers."""

import re

import numpy as np
import pytest

from custom_datasets.pages import charts
from custom_datasets.pages import charts as drawing
from tests.pages.parsing import Page

TICKS = [charts.Tick(0, '0'), charts.Tick(2, '2')]


def bars(html):
    return Page(html).all('rect')


def inside(html):
    page = Page(html)
    width, height = map(float, page.all('svg')[0]['viewbox'].split()[2:])
    for rect in page.all('rect'):
        x, y, w, h = (float(rect[key]) for key in ('x', 'y', 'width', 'height'))
        assert 0 <= x <= x + w <= width + 0.11
        assert 0 <= y <= y + h <= height + 0.11
    for text in page.all('text'):
        assert 0 <= float(text['x']) <= width
        assert 0 <= float(text['y']) <= height
    return page


def test_columns_are_as_high_as_the_counts():
    html = charts.columns([2, 0, 4], TICKS, 'pixels', 'boxes', 'a chart')
    page = inside(html)
    low, high = page.all('rect')
    assert float(high['height']) == pytest.approx(2 * float(low['height']), abs=0.2)
    assert page.all('svg')[0]['aria-label'] == 'a chart'
    assert {'pixels', 'boxes', '0', '2', '4'} <= set(
        re.findall('>([^<]+)</text>', html)
    )


@pytest.mark.parametrize('counts', [[0], [1], [3, 7], [10**9, 1], [5] * 36])
def test_columns_stay_in_their_frame(counts):
    ticks = [charts.Tick(place, '1') for place in (0, len(counts))]
    inside(charts.columns(counts, ticks, 'x', 'y', 'z'))


def test_a_rare_bin_is_still_seen():
    low, _ = bars(charts.columns([1, 100_000], TICKS, 'x', 'y', 'z'))
    assert float(low['height']) >= 1


@pytest.mark.parametrize(
    ('most', 'marks'),
    [(0, '0 1'), (1, '0 1'), (4, '0 1 2 3 4'), (78, '0 20 40 60 80'), (3096, None)],
)
def test_marks_are_round_whole_numbers(most, marks):
    texts = [tick.text for tick in drawing.count_steps(most)]
    assert marks is None or texts == marks.split()
    assert drawing.count_steps(most)[-1].place >= most
    assert len(texts) <= 6


@pytest.mark.parametrize('high', [1.5, 100.0, 1e9])
def test_ranges_stay_in_their_frame(high):
    rows = [charts.Row('cat', (1, 1, 1, 1, 1), 'c0')]
    rows.append(charts.Row('dog', (1, 1, high, high, high), 'c1'))
    page = inside(charts.ranges(rows, '{:g}'.format, 'x', 'y'))
    assert len(page.all('rect', 'box')) == 2
    assert len(page.all('line', 'grid')) <= 10


def test_a_heat_map_has_a_cell_where_something_is():
    grid = np.array([[0, 4], [1, 0]])
    cells = bars(charts.heat_map(grid, 'c0', 'a map'))
    assert [(c['x'], c['y'], c['opacity']) for c in cells] == [
        ('1', '0', '1.00'),
        ('0', '1', '0.25'),
    ]
    assert not bars(charts.heat_map(np.zeros((2, 2), int), 'c0', 'empty'))


def test_bubbles_have_areas_by_count():
    html = charts.bubbles([(640, 480, 400), (100, 50, 100)], '{} px', 'sizes')
    first, second = Page(html).all('circle')
    assert float(first['r']) == 2 * float(second['r'])
    assert 'width px' in html and 'height px' in html


def test_a_share_is_a_part_of_the_bar():
    assert [bar['width'] for bar in bars(charts.share_bar(0.25, 'c0'))] == ['100', '25']


def test_names_of_classes_are_escaped():
    rows = [charts.Row('<script>', (1, 2, 3, 4, 5), 'c0')]
    assert '<script>' not in charts.ranges(rows, str, 'x', 'y')


def test_an_interval_lies_where_it_is_known_to_be():
    scale, box, mark = bars(charts.interval_bar(0.5, 0.25, 0.75, 'c0'))
    assert (float(box['x']), float(box['width'])) == (25, 50)
    assert float(mark['x']) + float(mark['width']) / 2 == 50
    assert float(scale['width']) == 100


@pytest.mark.parametrize('value', [0.0, 1.0])
def test_an_interval_of_no_width_is_still_seen(value):
    _, box, mark = bars(charts.interval_bar(value, value, value, 'c0'))
    for part in (box, mark):
        assert float(part['width']) >= 1
        assert 0 <= float(part['x']) <= 100 - float(part['width']) + 0.01
