"""A detector's page: all its parts, true to the JSON, and never too large."""

import copy
import re

import pytest

from custom_datasets.pages.run_page import MOST_BYTES, render
from tests.pages.drawn import draw_content
from tests.pages.reading import CellPage, assert_numbers_are_in, cell

EVERY = [
    'classes',
    'threshold',
    'curves',
    'errors',
    'confusion',
    'sizes',
    'worst',
    'best',
    'doubts',
    'about',
]


@pytest.fixture(scope='module')
def content(tmp_path_factory):
    return draw_content(tmp_path_factory.mktemp('pets'))


def page_of(content):
    html = render(content)
    assert len(html.encode()) < MOST_BYTES
    page = CellPage(html)
    assert not page.outside
    assert not page.all('script')
    return page


def test_a_page_has_all_its_parts(content):
    page = page_of(content)
    assert page.sections() == EVERY
    assert [link['href'] for link in page.all('a')] == [f'#{name}' for name in EVERY]
    assert 'A note.' in page.text
    assert len(page.all('svg', 'lines')) == 3
    shown = content['images_ranked']
    sides = 2 * (len(shown['worst'][:8]) + len(shown['best'][:4]))
    doubts = len(content['label_doubts'][:24])
    assert len(page.all('svg', 'picture')) == sides + doubts


def test_every_number_is_in_the_json(content):
    assert_numbers_are_in(page_of(content), content)


def test_a_number_that_is_not_in_the_json_would_be_found(content):
    other = copy.deepcopy(content)
    other['per_class'][1]['area_ap50']['value'] = 0.987654
    with pytest.raises(AssertionError):
        assert_numbers_are_in(page_of(other), content)
    other = copy.deepcopy(content)
    other['per_class'][1]['objects'] = 123_456
    with pytest.raises(AssertionError):
        assert_numbers_are_in(page_of(other), content)


def test_a_number_of_another_part_of_the_json_would_be_found(content):
    other = copy.deepcopy(content)
    other['sizes']['overall']['small']['ap']['value'] = 0.987654
    other['per_class'][0]['area_ap50']['value'] = 0.987654
    with pytest.raises(AssertionError, match=r'sizes: 0\.988'):
        assert_numbers_are_in(page_of(other), {**other, 'sizes': content['sizes']})


def test_each_row_has_the_numbers_of_its_class(content):
    pieces = page_of(content).pieces
    text = {name: ''.join(parts) for name, parts in pieces.items()}
    points = content['thresholds']['per_class']
    sizes = content['sizes']['per_class']
    for row, point, size in zip(content['per_class'], points, sizes, strict=True):
        name = row['name']
        measured = cell(row['area_ap50']) + cell(row['coco_ap'])
        assert f'{name}{row["objects"]} objects{measured}' in text['classes']
        counts = ', '.join(
            f'{point[key]} {key}' for key in ('found', 'false', 'missed')
        )
        values = ''.join(
            f'{point[key]["value"]:.3f}' for key in ('precision', 'recall')
        )
        assert (
            f'{name}{counts}{point["threshold"]:.3f}{values}{cell(point["f1"])}'
            in text['threshold']
        )
        found = [
            size[key] for key in ('small', 'medium', 'large') if size[key]['objects']
        ]
        for one in found:
            recall = f'recall {one["recall"]["value"]:.3f}'
            many = 'objects' if one['objects'] > 1 else 'object'
            assert f'{cell(one["ap"])}{recall}{one["objects"]} {many}' in text['sizes']
        assert found
    names, counts = content['confusion']['names'], content['confusion']['counts']
    for name, row in zip(names[:-1], counts, strict=False):
        assert name + ''.join(map(str, row)) in text['confusion']
    for row in content['errors']['types']:
        costs = ''.join(f'{one["dap"]:.3f}' for one in row['per_class'])
        assert f'{row["deployed"]}{row["dap"]:.3f}{costs}' in text['errors']


def test_the_main_numbers_name_the_worst_class(content):
    values = {row['name']: row['area_ap50']['value'] for row in content['per_class']}
    worst = min(values, key=values.get)
    text = page_of(content).text
    assert f'worst class{worst}images' in text


def test_one_class_is_not_called_the_worst(tmp_path):
    page = page_of(draw_content(tmp_path, ['cat'], images=4))
    assert 'worst class' not in page.text


def test_sizes_are_named_where_coco_lists_them(content):
    text = page_of(content).text
    for size in ('small', 'medium', 'large'):
        assert f'AP, {size} objects' in text


def test_names_are_escaped(content):
    html = render(content)
    assert '<cow>' not in html
    assert '&lt;cow&gt;' in html


def test_a_curve_for_each_class_and_a_dot_where_its_threshold_is(content):
    html = render(content)
    page = CellPage(html)
    dots = page.all('circle', 'dot')
    assert [dot['class'] for dot in dots] == ['dot c0', 'dot c1', 'dot c2']
    threshold = content['thresholds']['per_class'][0]
    # The axes go from 0 to 1, between the first and the last line of the grid.
    chart = html.split('aria-label="F1 by threshold')[1].split('</svg>')[0]
    xs = [float(x) for x in re.findall(r'<line x1="([\d.]+)"', chart)]
    ys = [float(y) for y in re.findall(r'y1="([\d.]+)"', chart)]
    left, right, top, floor = min(xs), max(xs), min(ys), max(ys)
    x = left + threshold['threshold'] * (right - left)
    y = floor - threshold['f1']['value'] * (floor - top)
    assert float(dots[0]['cx']) == pytest.approx(x, abs=0.2)
    assert float(dots[0]['cy']) == pytest.approx(y, abs=0.2)


def test_the_threshold_stands_in_what_is_to_be_typed(content):
    page = page_of(content)
    score = f'{content["thresholds"]["overall"]["threshold"]:.3f}'
    assert f'pred_score_thr={score})' in page.text
    assert f'--cfg-options model.test_cfg.rcnn.score_thr={score}' in page.text
    first = f'{content["thresholds"]["per_class"][0]["threshold"]:.3f}'
    assert f"'cat': {first}," in page.text


def test_a_model_without_a_score_threshold_gets_no_setting(content):
    page = page_of({**content, 'threshold_setting': None})
    assert '--cfg-options model' not in page.text


def test_where_nothing_is_found_the_page_says_so(content):
    nothing = {'value': None, 'low': None, 'high': None}
    empty = copy.deepcopy(content)
    for row in empty['per_class']:
        row['area_ap50'] = row['coco_ap'] = nothing
    empty['overall']['area_ap50'] = nothing
    for point in (
        empty['thresholds']['overall'],
        empty['thresholds']['together'],
        *empty['thresholds']['per_class'],
    ):
        point['precision'] = point['f1'] = nothing
    for error in empty['errors']['types']:
        error['dap'] = None
    empty['images_ranked'].update(worst=[], best=[])
    empty['label_doubts'] = []
    page = page_of(empty)
    assert page.sections() == [n for n in EVERY if n not in ('worst', 'best')]
    assert 'No kind of error costs any AP.' in page.text
    assert 'F1 is not defined here.' in page.text
    assert 'Nowhere does the model contradict the labels' in page.text
    assert not page.all('circle', 'dot')


def test_an_image_that_is_gone_gets_a_sentence(content):
    moved = copy.deepcopy(content)
    for row in (*moved['images_ranked']['worst'], *moved['label_doubts']):
        row['path'] = '/nowhere/gone.png'
    page = page_of(moved)
    assert 'The image cannot be shown.' in page.text
    best = len(content['images_ranked']['best'][:4])
    assert len(page.all('svg', 'picture')) == 2 * best


def test_hundreds_of_classes_stay_readable(tmp_path):
    classes = [f'class {index} ' + 'x' * 300 for index in range(300)]
    content = draw_content(tmp_path, classes, images=4)
    page = page_of(content)
    assert 'Only the first classes are shown; report.json has all 300.' in page.text
    assert 'The most frequent errors' in page.text
    lines = [svg for svg in page.all('svg', 'lines')]
    assert len(lines) == 3
    assert len(page.all('g', 'curve')) == 12 + (12 + 1) + 2
    assert_numbers_are_in(page, content)
