"""Boxes as a competition takes them."""

from dataclasses import replace

import numpy as np
import pytest

from custom_datasets.errors import UserError
from custom_datasets.predicting.tables import (
    ORDER,
    boxes_inside,
    parse_order,
    write_box,
    write_number,
)
from tests.predicting.drawn import detected, images

ONE = images('one.png')


def test_boxes_are_cut_at_the_edges_of_their_own_image():
    pictures = (*ONE, *images('two.png', size=(20, 30)))
    box = (-5.0, -0.25, 70.0, 60.0)
    found, notes = boxes_inside(
        detected(pictures, (0, 0, 0.9, box), (1, 1, 0.8, box)), 0
    )
    assert found.box.tolist() == [[0, 0, 64, 48], [0, 0, 20, 30]]
    assert found.image.tolist() == [0, 1]
    assert found.label.tolist() == [0, 1]
    assert notes == [
        'boxes that reached out of their image by more than a pixel, cut: 2'
    ]


def test_less_than_a_pixel_outside_is_not_worth_a_note():
    found, notes = boxes_inside(detected(ONE, (0, 0, 0.9, (-0.9, 1, 64.9, 9))), 0)
    assert found.box.tolist() == [[0, 1, 64, 9]]
    assert notes == []


@pytest.mark.parametrize(
    'box',
    [
        (70, 5, 80, 9),  # right of the image
        (5, -9, 9, 0),  # above it
        (5, 5, 5, 9),  # without width
        (9, 5, 5, 9),  # the wrong way round
        (5, 5, 5.0003, 9),  # none of it left when rounded
    ],
)
def test_boxes_without_area_inside_are_left_out(box):
    found, notes = boxes_inside(
        detected(ONE, (0, 1, 0.9, box), (0, 0, 0.5, (1, 2, 3, 4))), 0
    )
    assert found.box.tolist() == [[1, 2, 3, 4]]
    assert (found.label.tolist(), found.score.tolist()) == ([0], [0.5])
    assert notes == ['boxes without area inside their image, left out: 1']


def test_a_threshold_keeps_what_reaches_it_and_counts_no_other():
    outside = (70, 5, 80, 9)
    rows = [(0, 0, 0.7, (0, 0, 9, 9)), (0, 0, 0.5, (1, 1, 9, 9)), (0, 0, 0.4, outside)]
    found, notes = boxes_inside(detected(ONE, *rows), 0.5)
    assert found.score.tolist() == [0.7, 0.5]
    assert notes == []


def test_scores_a_hair_above_one_are_one():
    found, _ = boxes_inside(detected(ONE, (0, 0, 1 + 5e-7, (0, 0, 9, 9))), 0)
    assert found.score.tolist() == [1]


def test_no_boxes():
    found, notes = boxes_inside(detected(ONE), 0)
    assert found.box.shape == (0, 4)
    assert notes == []


def test_an_image_without_a_size_is_named():
    pictures = (*ONE, replace(ONE[0], key='1', path='two.png', size=None))
    with pytest.raises(UserError, match=r'no size for two\.png; .*ori_shape'):
        boxes_inside(detected(pictures), 0)


def test_order_is_read_with_spaces_or_commas():
    fields = ['xmin', 'ymin', 'width', 'height', 'score']
    assert parse_order('xmin, ymin,width  height score') == fields
    assert parse_order(ORDER) == ['label', 'score', 'xmin', 'ymin', 'xmax', 'ymax']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('label conf xmin ymin xmax ymax', "'conf' is none of label, score"),
        ('label score xmin ymin xmax', 'it takes xmin, ymin'),
        ('label score xmin xmin ymin xmax ymax', 'each once'),
        ('xmin ymin xmax height', 'it takes xmin, ymin'),
        ('xmin ymin xmax ymax width height', 'it takes xmin, ymin'),
        ('', 'it takes xmin, ymin'),
    ],
)
def test_orders_that_make_no_box_are_refused(text, message):
    with pytest.raises(UserError, match='--order') as caught:
        parse_order(text)
    assert message in str(caught.value)


def test_a_box_is_written_in_its_order():
    box = np.array([10.5, 20.0, 30.25, 41.125])
    assert write_box(parse_order(ORDER), 'cat', 0.5, box) == (
        'cat 0.5 10.5 20 30.25 41.125'
    )
    fields = parse_order('score xmin ymin width height label')
    assert write_box(fields, '7', 1.0, box) == '1 10.5 20 19.75 21.125 7'


@pytest.mark.parametrize(
    ('value', 'decimals', 'text'),
    [
        (0.00001234, 8, '0.00001234'),
        (1e-9, 8, '0'),
        (123456.0, 3, '123456'),
        (100.0, 3, '100'),
        (-0.0, 3, '0'),
        (0.1 + 0.2, 8, '0.3'),
        (1279.9996, 3, '1280'),
    ],
)
def test_numbers_have_no_exponent_and_no_end_zeros(value, decimals, text):
    assert write_number(value, decimals) == text
