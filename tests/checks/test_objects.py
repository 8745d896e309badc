"""Boxes: their extent, and objects annotated twice."""

import numpy as np
import pytest

from custom_datasets.checks.annotations import (
    check_area,
    check_extent,
    check_repeats,
    iou_matrix,
)
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords

IMAGE = '/i.png'
SIZES = {IMAGE: (100, 80)}


def split(*boxes, one_based=True):
    records = tuple(
        BoxRecord(index, name, box) for index, (name, box) in enumerate(boxes)
    )
    image = ImageRecord('i', IMAGE, '/i.xml', records)
    return SplitRecords('train', ('a', 'b'), (image,), one_based)


@pytest.mark.parametrize(
    ('box', 'code', 'severity'),
    [
        ((1, 1, 100, 80), None, None),
        ((30, 10, 20, 40), 'inverted-box', 'warning'),
        ((30, 10, 30, 40), 'zero-area-box', 'warning'),
        ((120, 10, 130, 40), 'outside-box', 'warning'),
        ((90, 10, 101, 40), 'clipped-box', 'note'),
        ((0, 10, 50, 40), 'clipped-box', 'note'),
        ((90, 10, 130, 40), 'clipped-box', 'warning'),
    ],
)
def test_extent(box, code, severity):
    found = check_extent(split(('a', (1, 1, 9, 9)), ('a', box)), SIZES)
    assert [(f.code, f.severity) for f in found] == ([(code, severity)] if code else [])
    assert all((f.file, f.object, f.split) == ('/i.xml', 1, 'train') for f in found)


def test_zero_is_inside_where_pixels_count_from_zero():
    assert not check_extent(split(('a', (0, 0, 100, 80)), one_based=False), SIZES)


def test_without_a_size_only_the_box_itself_is_judged():
    found = check_extent(split(('a', (5, 5, 500, 9)), ('a', (5, 5, 5, 9))), {})
    assert [(f.code, f.object) for f in found] == [('zero-area-box', 1)]


def test_an_exact_duplicate_is_reported_once_and_not_as_an_overlap():
    box = (10, 10, 50, 50)
    found = check_repeats(split(('a', box), ('a', box), ('a', (60, 10, 90, 50))))
    assert [(f.code, f.object) for f in found] == [('duplicate-object', 1)]


def test_one_box_of_two_classes():
    box = (10, 10, 50, 50)
    found = check_repeats(split(('a', box), ('b', box)))
    assert [(f.code, f.object) for f in found] == [('two-classes', 1)]
    assert 'object 0 has the same box and is a' in found[0].message


@pytest.mark.parametrize(
    ('shift', 'names', 'codes'),
    [
        (1, 'aa', ['overlapping-objects']),
        (1, 'ab', []),
        (9, 'aa', []),
    ],
)
def test_an_overlap_counts_within_a_class(shift, names, codes):
    one, two = (10, 10, 60, 60), (10, 10, 60 + shift, 60)
    found = check_repeats(split((names[0], one), (names[1], two)))
    assert [f.code for f in found] == codes


@pytest.mark.parametrize(
    ('box', 'one_based', 'text'),
    [
        ((202, 21, 207, 24), True, '6x4 px'),
        ((10, 10, 17, 17), True, None),
        ((10, 10, 17, 17), False, '7x7 px'),
        ((10, 10, 10, 17), True, None),
    ],
)
def test_area_in_the_image(box, one_based, text):
    found = check_area(split(('a', box), one_based=one_based))
    assert [(f.code, f.severity) for f in found] == [('small-area', 'note')] * bool(
        text
    )
    assert not text or text in found[0].message


def test_iou_of_a_box_without_area_is_zero():
    boxes = np.array([[0, 0, 4, 4], [2, 0, 6, 4], [1, 1, 1, 1]], float)
    expected = np.array([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]])
    np.testing.assert_allclose(iou_matrix(boxes), expected)
