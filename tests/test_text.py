"""Counts with their noun, and tables in any script."""

import pytest

from custom_datasets.text import aligned, counted, padded, width


@pytest.mark.parametrize(
    ('count', 'many', 'text'),
    [
        (0, 'images', '0 images'),
        (2, 'boxes without area dropped', '2 boxes without area dropped'),
        (1, 'boxes without area dropped', '1 box without area dropped'),
        (1, 'images left out', '1 image left out'),
        (1, 'classes', '1 class'),
        (1, 'categories', '1 category'),
        (1, 'of these stay', '1 of these stay'),
        (1, 'images, 2 of them', '1 image, 2 of them'),
    ],
)
def test_one_is_singular(count, many, text):
    assert counted(count, many) == text


def test_a_verb_has_its_own_singular():
    assert counted(1, 'images are in no part', 'image is in no part') == (
        '1 image is in no part'
    )
    assert counted(2, 'images are', 'image is') == '2 images are'


def test_columns_are_aligned_on_a_terminal():
    rows = [['', '고양이', 'dog'], ['나무', '1', '2'], ['é', '10', '200']]
    assert aligned(rows) == [
        '      고양이  dog',
        '나무       1    2',
        'é         10  200',
    ]
    assert {width(line) for line in aligned(rows)} == {17}


def test_a_cell_that_is_too_long_stays():
    assert padded('long', 2) == padded('long', 2, right=True) == 'long'
