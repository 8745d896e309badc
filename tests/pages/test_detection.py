"""A detector's page: all its parts, true to the JSON, and never too large."""

import base64
import copy
import re

import cv2
import numpy as np
import pytest

from custom_datasets.pages.kit import MOST_BYTES
from custom_datasets.pages.run_page import render_run
from tests.pages.drawn import draw_content
from tests.pages.reading import CellPage, assert_numbers_are_in, cell

EVERY = [
    *('classes', 'threshold', 'curves', 'errors', 'confusion', 'sizes'),
    *('worst', 'best', 'doubts', 'about'),
]
TRAINING = {
    'step': 'epoch',
    'loss': [[1.0, 90.0], [2.0, 0.5], [3.0, 0.4], [4.0, 0.3]],
    'rate': [[1.0, 0.001], [2.0, 0.0005]],
    'metrics': {'mAP': [[2.0, 0.25], [4.0, 0.5]], 'other': [[2.0, 1.0]]},
    'metric': 'mAP',
    'best': [4.0, 0.5],
}


@pytest.fixture(scope='module')
def content(tmp_path_factory):
    return draw_content(tmp_path_factory.mktemp('pets'))


def page_of(content):
    html = render_run(content)
    assert len(html) < MOST_BYTES
    page = CellPage(html.decode())
    assert not page.outside
    return page


def test_a_page_has_all_its_parts(content):
    page = page_of(content)
    assert page.sections() == EVERY
    assert [link['href'] for link in page.all('a')] == [f'#{name}' for name in EVERY]
    assert 'A note.' in page.text
    assert len(page.all('svg', 'lines')) == 3
    shown = content['images_ranked']
    images = len(shown['worst'][:8]) + len(shown['best'][:4])
    doubts = len(content['label_doubts'][:24])
    assert len(page.all('svg', 'picture')) == 2 * images + doubts
    # Both sides of an image share its pixels.
    assert len(page.all('image')) == images + doubts
    ids = [f'#{image["id"]}' for image in page.all('image') if 'id' in image]
    assert [use['href'] for use in page.all('use')] == ids
    assert len(set(ids)) == images


def test_a_model_that_has_learnt_nothing_gets_no_advice(content):
    advice = 'What costs most is '
    page = page_of(content)
    assert advice in page.text and 'Show boxes with a score of at least' in page.text
    poor = copy.deepcopy(content)
    poor['overall']['area_ap50']['value'] = 0.001
    page = page_of(poor)
    assert page.sections() == EVERY
    assert advice not in page.text
    assert 'Show boxes with a score of at least' not in page.text
    assert 'has no threshold to deploy' in page.text


def test_anchors_are_named_only_where_there_are_any(content):
    missed = copy.deepcopy(content)
    for row in missed['errors']['types']:
        row['dap'] = 0.5 if row['kind'] == 'missed' else 0.0
    assert 'So may smaller anchors' in page_of(missed).text
    assert 'anchors' not in page_of({**missed, 'anchors': False}).text


def test_every_number_is_in_the_json(content):
    assert_numbers_are_in(page_of(content), content)


@pytest.mark.parametrize(
    'change',
    [
        lambda other: other['per_class'][1]['area_ap50'].update(value=0.987654),
        lambda other: other['per_class'][1].update(objects=123_456),
    ],
)
def test_a_number_that_is_not_in_the_json_would_be_found(content, change):
    other = copy.deepcopy(content)
    change(other)
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
        measured = [size[key] for key in content['sizes']['ranges']]
        assert any(one['objects'] for one in measured)
        for one in measured:
            recall = f'recall {one["recall"]["value"] or 0:.3f}, '
            many = 'object' if one['objects'] == 1 else 'objects'
            words = f'{cell(one["ap"])}{recall}{one["objects"]} {many}'
            assert (words in text['sizes']) == (one['objects'] > 0)
    names, counts = content['confusion']['names'], content['confusion']['counts']
    for name, row in zip(names[:-1], counts, strict=False):
        assert name + ''.join(map(str, row)) in text['confusion']
    for row in content['errors']['types']:
        costs = ''.join(f'{one["dap"]:.3f}' for one in row['per_class'])
        assert f'{row["deployed"]}{row["dap"]:.3f}{costs}' in text['errors']


def test_the_most_frequent_errors_stand_beside_the_matrix(content):
    names, counts = content['confusion']['names'], content['confusion']['counts']
    annotated, predicted = [*names[:3], 'nothing there'], [*names[:3], 'missed']
    errors = [
        (count, annotated[i] + predicted[j])
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
        if i != j
    ]
    most, words = max(errors, key=lambda error: error[0])
    text = ''.join(page_of(content).pieces['confusion'])
    assert f'how often{words}{most}' in text


def test_the_main_numbers_name_the_worst_class(content, tmp_path):
    values = {row['name']: row['area_ap50']['value'] for row in content['per_class']}
    worst = min(values, key=values.get)
    assert f'worst class{worst}images' in page_of(content).text
    one = draw_content(tmp_path, ['cat'], images=4)
    assert 'worst class' not in page_of(one).text


def test_names_are_escaped(content):
    html = render_run(content).decode()
    assert '<cow>' not in html
    assert '&lt;cow&gt;' in html


def test_a_curve_for_each_class_and_a_dot_where_its_threshold_is(content):
    html = render_run(content).decode()
    dots = CellPage(html).all('circle', 'dot')
    assert [dot['class'] for dot in dots] == ['dot c0', 'dot c1', 'dot c2']
    threshold = content['thresholds']['per_class'][0]
    # The axes go from 0 to 1, between the first and the last line of the grid.
    chart = html.split('aria-label="F1 by threshold')[1].split('</svg>')[0]
    xs = [float(x) for x in re.findall(r'<line x1="([\d.]+)"', chart)]
    ys = [float(y) for y in re.findall(r'y1="([\d.]+)"', chart)]
    x = min(xs) + threshold['threshold'] * (max(xs) - min(xs))
    y = max(ys) - threshold['f1']['value'] * (max(ys) - min(ys))
    assert float(dots[0]['cx']) == pytest.approx(x, abs=0.2)
    assert float(dots[0]['cy']) == pytest.approx(y, abs=0.2)


def test_the_threshold_stands_in_what_is_to_be_typed(content):
    page = page_of(content)
    score = f'{content["thresholds"]["overall"]["threshold"]:.3f}'
    assert f'threshold={float(score)},' in page.text
    assert f'--cfg-options model.test_cfg.rcnn.score_thr={score}' in page.text
    assert "threshold='per-class'," in page.text
    without = page_of({**content, 'threshold_setting': None})
    assert '--cfg-options model' not in without.text


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
    assert 'has no threshold to deploy' in page.text
    empty['overall']['area_ap50'] = {'value': 1.0, 'low': None, 'high': None}
    page = page_of(empty)
    assert 'No kind of error costs any AP.' in page.text
    assert 'Nothing on the test set reaches it.' in page.text
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
    assert 'The most frequent errors; report.json has the whole matrix' in page.text
    # Three tables of classes, the legend of the charts and two of images.
    ranked = sum(name in ('worst', 'best') for name in page.sections())
    assert len(page.all('i', 'swatch')) == 3 * 60 + 12 + 20 * ranked
    assert len(page.all('svg', 'lines')) == 3
    assert len(page.all('g', 'curve')) == 12 + (12 + 1) + 2
    assert_numbers_are_in(page, content)


def test_the_curves_of_the_training_are_drawn(content):
    page = page_of({**content, 'training': TRAINING})
    assert page.sections()[-2:] == ['training', 'about']
    assert len(page.all('svg', 'lines')) == 3 + 3
    text = ''.join(page.pieces['training'])
    assert 'What lies above 2 is not drawn.' in text
    assert 'the best, 0.500 at epoch 4.' in text
    unknown = {**TRAINING, 'metric': None, 'best': None, 'rate': []}
    page = page_of({**content, 'training': unknown})
    assert len(page.all('svg', 'lines')) == 3 + 1


def test_files_beside_the_page_are_linked(content, tmp_path):
    for name in ('run.md', 'dataset_report.html', 'report.html'):
        (tmp_path / name).write_text('')
    page = CellPage(render_run(content, folder=str(tmp_path)).decode())
    assert sorted(page.links) == ['dataset_report.html', 'run.md']


@pytest.fixture
def image(tmp_path):
    """A black image of 400 by 300 pixels, with a white box in it."""
    pixels = np.zeros((300, 400, 3), np.uint8)
    pixels[100:140, 300:340] = 255
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), pixels)
    return str(path)


def boxes_of(page):
    """Return the groups of all boxes: their attributes in the page."""
    return [attrs for attrs in page.all('g') if 'data-class' in attrs]


def doubts(content, *rows):
    ranked = {**content['images_ranked'], 'worst': [], 'best': []}
    return page_of({**content, 'images_ranked': ranked, 'label_doubts': list(rows)})


def doubt(image, box=(300, 100, 340, 140), annotated_box=None, **changes):
    return {
        'path': image,
        'box': list(box),
        'annotated_box': annotated_box,
        'predicted': 'dog',
        'annotated': None,
        'sentence': 'Look <here>.',
        **changes,
    }


def decoded(page):
    data = page.all('image')[0]['href'].split(',')[1]
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), 1)


def test_a_doubt_is_cut_out_around_its_box(content, image):
    page = doubts(content, doubt(image))
    pixels = decoded(page)
    # 120 pixels, the least, with the box in the middle.
    assert pixels.shape == (120, 120, 3)
    assert pixels[42:78, 42:78].min() > 200
    assert pixels[:36].max() < 50 and pixels[84:].max() < 50
    # Drawn 480 units wide: four a pixel.
    (rect,) = [rect for rect in page.all('rect') if 'class' not in rect]
    places = [float(rect[key]) for key in ('x', 'y', 'width', 'height')]
    assert places == [160, 160, 160, 160]
    assert [box['class'] for box in boxes_of(page)] == ['c1 verdict-missed']
    assert 'Look <here>.' in page.text


@pytest.mark.parametrize(
    'box', [(0, 0, 10, 10), (395, 295, 400, 300), (0, 0, 400, 300), (-5, -5, 3, 3)]
)
def test_a_cut_out_stays_in_the_image(content, image, box):
    height, width = decoded(doubts(content, doubt(image, box))).shape[:2]
    assert 100 <= width <= 300
    assert 100 <= height <= 300


@pytest.mark.parametrize(
    ('changes', 'styles'),
    [
        (
            {'annotated': 'cat', 'annotated_box': [290, 90, 330, 130]},
            ['c0 verdict-found', 'c1 verdict-missed'],
        ),
        ({'annotated': 'cat', 'predicted': None}, ['c0 verdict-missed']),
    ],
)
def test_what_is_annotated_is_drawn_below(content, image, changes, styles):
    boxes = boxes_of(doubts(content, doubt(image, **changes)))
    assert [box['class'] for box in boxes] == styles


def test_doubts_are_limited(content, image):
    page = doubts(content, *[doubt(image)] * 30)
    assert len(page.all('svg', 'picture')) == 24
    assert 'report.json lists more.' in page.text


def ranked(content, image, truth, predicted, count=1):
    """Return a page with one image, several times."""
    corners = [0, 0, 10, 10]
    row = {
        **{'path': image, 'f1': 0.25},
        **{'correct': 1, 'missed': 2, 'confused': 4},
        'false': sum(verdict == 'false' for verdict, _ in predicted),
        'truth': [
            {
                **{'label': 'cat', 'box': corners, 'verdict': verdict},
                **{'taken_for': taken_for, 'score': score},
            }
            for verdict, taken_for, score in truth
        ],
        'predicted': [
            {'label': 'cat', 'box': corners, 'score': score, 'verdict': verdict}
            for verdict, score in predicted
        ],
    }
    images = {
        **{'threshold': 0.4, 'lowest': 0.2},
        **{'worst': [row] * count, 'best': []},
    }
    return page_of({**content, 'images_ranked': images, 'label_doubts': []})


def test_truth_and_prediction_are_side_by_side(content, image):
    page = ranked(
        content,
        image,
        [('missed', None, None), ('found', 'cat', 0.75)],
        [('correct', 0.75), ('false', 0.5), ('ignored', 0.45)],
    )
    assert [svg['aria-label'] for svg in page.all('svg', 'picture')] == [
        'image.png, annotated',
        'image.png, predicted',
    ]
    # Errors lie above what is right.
    assert [box['class'] for box in boxes_of(page)] == [
        'c0 verdict-found',
        'c0 verdict-missed',
        'c0 verdict-ignored',
        'c0 verdict-correct',
        'c0 verdict-false',
    ]
    assert 'cat 0.750' in page.text
    assert '1 object right, 2 missed, 1 false, 4 of the wrong class; F1 0.250' in (
        page.text
    )


def test_a_score_can_be_chosen_and_starts_at_the_threshold(content, image):
    page = ranked(
        content,
        image,
        [('found', 'cat', 0.75), ('missed', 'cat', 0.3), ('missed', 'dog', 0.25)],
        [('correct', 0.75), ('correct', 0.3), ('confused', 0.25)],
    )
    (slider,) = page.all('input')
    assert [slider[key] for key in ('min', 'value', 'max')] == ['0.2', '0.4', '1']
    names = [box['data-class'] for box in boxes_of(page)]
    assert names == ['cat'] * 6
    # With a lower threshold these would be found, or taken for a dog.
    hits = {box['data-hit']: box['class'] for box in boxes_of(page)[:3]}
    assert hits == {
        '0.7500': 'c0 verdict-found',
        '0.3000': 'c0 verdict-found verdict-missed',
        '0.2500': 'c0 verdict-confused verdict-missed',
    }
    shown = {box['data-score']: box['class'] for box in boxes_of(page)[3:]}
    assert shown == {
        '0.7500': 'c0 verdict-correct',
        '0.3000': 'c0 verdict-correct left-out',
        '0.2500': 'c0 verdict-confused left-out',
    }


def test_of_many_false_boxes_all_but_the_surest_are_faded(content, image):
    false = [('false', 0.9 - index / 100) for index in range(40)]
    page = ranked(content, image, [('missed', None, None)], [('correct', 0.95), *false])
    boxes = boxes_of(page)
    faded = [box['data-score'] for box in boxes if 'faded' in box['class']]
    plain = [box['data-score'] for box in boxes if box['class'] == 'c0 verdict-false']
    assert (len(faded), len(plain)) == (30, 10)
    assert min(plain) > max(faded)
    # The faded ones lie below all others.
    assert [box['class'] for box in boxes[1:]] == [
        *['c0 verdict-false faded'] * 30,
        'c0 verdict-correct',
        *['c0 verdict-false'] * 10,
    ]
    assert len(page.all('svg', 'crowded')) == 1
    assert 'predicted; the ten surest of 40 false boxes stand out' in page.text


def test_images_are_limited_and_errors_are_never_left_out(content, image):
    truth = [('missed', None, None), *[('found', 'cat', 0.9)] * 150]
    page = ranked(content, image, truth, [('correct', 0.9)] * 150, 20)
    assert len(page.all('svg', 'picture')) == 2 * 8
    styles = [box['class'] for box in boxes_of(page)]
    assert styles.count('c0 verdict-missed') == 8
    assert styles.count('c0 verdict-found') == 8 * 99
    assert styles.count('c0 verdict-correct') == 8 * 100
    assert 'predicted (not all boxes are drawn)' in page.text
