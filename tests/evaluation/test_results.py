"""Flat arrays of truth and predictions: taking images, and bringing two in line."""

from dataclasses import replace

import numpy as np
import pytest

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    ImageInfo,
    PredictedBoxes,
    TruthBoxes,
    align,
)

BOXES = np.arange(20, dtype=float).reshape(5, 4)


def detected(keys='abc', classes=('x', 'y')):
    """Image a has two objects, b none, c one; a and c have predictions."""
    return DetectionResults(
        classes,
        tuple(ImageInfo(key, f'{key}.png', (64, 48)) for key in keys),
        TruthBoxes(
            np.array([0, 0, 2]),
            np.array([0, 1, 1]),
            BOXES[:3],
            np.array([False, True, False]),
        ),
        PredictedBoxes(
            np.array([0, 2, 2]),
            np.array([1, 0, 1]),
            BOXES[2:],
            np.array([0.9, 0.8, 0.1]),
        ),
    )


def classified(keys='abc', truth=(0, 1, 1)):
    images = tuple(ImageInfo(key, f'{key}.png') for key in keys)
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    return ClassificationResults(('x', 'y'), images, np.array(truth), scores)


def test_taking_images_takes_their_boxes():
    taken = detected().take([2, 1, 0])
    assert [image.key for image in taken.images] == ['c', 'b', 'a']
    assert taken.truth.image.tolist() == [0, 2, 2]
    assert taken.truth.label.tolist() == [1, 0, 1]
    assert taken.truth.ignore.tolist() == [False, False, True]
    assert (taken.truth.box == BOXES[[2, 0, 1]]).all()
    assert taken.predicted.image.tolist() == [0, 0, 2]
    assert taken.predicted.score.tolist() == [0.8, 0.1, 0.9]
    assert (taken.predicted.box == BOXES[[3, 4, 2]]).all()


def test_an_image_may_be_taken_twice_or_none_at_all():
    twice = detected().take([2, 2])
    assert twice.truth.image.tolist() == [0, 1]
    assert twice.predicted.image.tolist() == [0, 0, 1, 1]
    nothing = detected().take([])
    assert len(nothing.images) == len(nothing.truth.box) == 0
    assert classified().take([2, 0]).truth.tolist() == [1, 0]


def test_runs_are_brought_into_one_order():
    first, second = align(detected(), detected().take([2, 0, 1]))
    assert [image.key for image in second.images] == ['a', 'b', 'c']
    assert (second.truth.box == first.truth.box).all()
    first, second = align(classified(), classified().take([1, 2, 0]))
    assert (second.scores == first.scores).all()


@pytest.mark.parametrize(
    ('first', 'second', 'said'),
    [
        (detected(), classified(), 'one run detects and the other classifies'),
        (detected(), detected(classes=('x', 'z')), 'classes differ: x, y against x, z'),
        (
            detected(),
            detected('abd'),
            '1 images are in the first only and 1 in the second only, c for one',
        ),
        (detected().take([0]), detected(), '0 images are in the first only and 2'),
        (classified(), classified(truth=(0, 0, 1)), 'their annotations differ'),
    ],
)
def test_what_cannot_be_compared_is_said(first, second, said):
    with pytest.raises(UserError, match=said):
        align(first, second)


def test_copies_of_another_size_are_other_images():
    small = detected()
    images = tuple(replace(image, size=(8, 6)) for image in small.images)
    first, second = replace(small, images=images), replace(small, images=images)
    align(first, second)
    other = (replace(images[0], size=(16, 12)), *images[1:])
    with pytest.raises(UserError, match='a has 8x6 pixels in one and 16x12 in the'):
        align(first, replace(small, images=other))


def test_a_moved_box_is_another_truth():
    moved = detected().take([0, 1, 2])
    moved.truth.box[0] += 1
    with pytest.raises(UserError, match='their annotations differ'):
        align(detected(), moved)
