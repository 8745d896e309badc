"""Pictures of a detector's work: the right boxes, in the right place and style."""

import base64

import cv2
import numpy as np
import pytest

from custom_datasets.pages.detection import doubts_section, images_section
from tests.pages.parsing import Page

STYLES = {'cat': 'c0', 'dog': 'c1'}


@pytest.fixture
def image(tmp_path):
    """A black image of 400 by 300 pixels, with a white box in it."""
    pixels = np.zeros((300, 400, 3), np.uint8)
    pixels[100:140, 300:340] = 255
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), pixels)
    return str(path)


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


def doubts(*rows):
    return Page(doubts_section({'label_doubts': list(rows)}, STYLES))


def decoded(page):
    data = page.all('image')[0]['href'].split(',')[1]
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), 1)


def test_a_doubt_is_cut_out_around_its_box(image):
    page = doubts(doubt(image))
    pixels = decoded(page)
    # 120 pixels, the least, with the box in the middle.
    assert pixels.shape == (120, 120, 3)
    assert pixels[42:78, 42:78].min() > 200
    assert pixels[:36].max() < 50 and pixels[84:].max() < 50
    # Drawn 480 units wide: four a pixel.
    (rect,) = page.all('rect')
    places = [float(rect[key]) for key in ('x', 'y', 'width', 'height')]
    assert places == [160, 160, 160, 160]
    assert rect['class'] == 'c1 verdict-missed'
    assert 'Look <here>.' in page.text


@pytest.mark.parametrize(
    'box', [(0, 0, 10, 10), (395, 295, 400, 300), (0, 0, 400, 300), (-5, -5, 3, 3)]
)
def test_a_cut_out_stays_in_the_image(image, box):
    height, width = decoded(doubts(doubt(image, box))).shape[:2]
    assert 100 <= width <= 300
    assert 100 <= height <= 300


def test_what_is_annotated_is_drawn_below(image):
    row = doubt(image, annotated='cat', annotated_box=[290, 90, 330, 130])
    assert [rect['class'] for rect in doubts(row).all('rect')] == [
        'c0 verdict-found',
        'c1 verdict-missed',
    ]


def test_a_box_that_nothing_supports_has_the_colour_of_its_class(image):
    row = doubt(image, annotated='cat', predicted=None)
    assert [rect['class'] for rect in doubts(row).all('rect')] == ['c0 verdict-missed']


def test_doubts_are_limited(image):
    page = doubts(*[doubt(image)] * 30)
    assert len(page.all('svg', 'picture')) == 24
    assert 'report.json lists more.' in page.text


def ranked(image, count, boxes):
    box = {'label': 'cat', 'box': [0, 0, 10, 10]}
    row = {
        'path': image,
        'correct': 1,
        'missed': 2,
        'false': 3,
        'confused': 4,
        'f1': 0.25,
        'truth': [{**box, 'verdict': verdict} for verdict in boxes],
        'predicted': [{**box, 'score': 0.75, 'verdict': 'false'}],
    }
    return {'images_ranked': {'threshold': 0.4, 'worst': [row] * count, 'best': []}}


def test_truth_and_prediction_are_side_by_side(image):
    (part,) = images_section(ranked(image, 1, ['missed', 'found']), STYLES)
    page = Page(part.body)
    assert [svg['aria-label'] for svg in page.all('svg')] == [
        'image.png, annotated',
        'image.png, predicted',
    ]
    # Errors lie above what is right.
    assert [rect['class'] for rect in page.all('rect')] == [
        'c0 verdict-found',
        'c0 verdict-missed',
        'c0 verdict-false',
    ]
    assert 'cat 0.750' in page.text
    assert '1 object right, 2 missed, 3 false, 4 of the wrong class; F1 0.250' in (
        page.text
    )


def test_images_are_limited_and_errors_are_drawn_first(image):
    (part,) = images_section(ranked(image, 20, ['found'] * 150 + ['missed']), STYLES)
    page = Page(part.body)
    assert len(page.all('svg', 'picture')) == 2 * 8
    assert len(page.all('rect', 'verdict-missed')) == 8
    assert len(page.all('rect', 'verdict-found')) == 8 * 99
