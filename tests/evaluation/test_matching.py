"""Who finds what: by hand, and against plain loops."""

import numpy as np
import pytest

from custom_datasets.evaluation.matching import (
    MOST,
    count_before,
    counting,
    find_overlaps,
    match_any_class,
    match_classwise,
    match_coco,
)
from tests.evaluation.drawn_detections import detections, draw

LEFT, RIGHT = (0, 0, 10, 10), (3, 0, 13, 10)
"""Their IoU is 7/13."""


def classwise(results):
    return match_classwise(results, find_overlaps(results))


def any_class(results, threshold=0.0):
    return match_any_class(results, find_overlaps(results), threshold)


def test_a_prediction_goes_to_the_box_that_it_overlaps_most_even_if_taken():
    results = detections(
        [(0, 0, LEFT), (0, 0, RIGHT)], [(0, 0, LEFT, 0.9), (0, 0, LEFT, 0.8)]
    )
    assert classwise(results).truth.tolist() == [0, -1]


def test_without_classes_it_takes_the_best_that_is_free():
    results = detections(
        [(0, 0, LEFT), (0, 1, RIGHT)], [(0, 0, LEFT, 0.9), (0, 0, LEFT, 0.8)]
    )
    assert any_class(results).truth.tolist() == [0, 1]


def test_one_box_annotated_as_two_classes_is_given_to_its_own():
    truth = [(0, 0, LEFT), (0, 1, LEFT)]
    results = detections(truth, [(0, 1, LEFT, 0.9), (0, 0, LEFT, 0.8)])
    assert any_class(results).truth.tolist() == [1, 0]


def test_what_is_below_the_threshold_takes_nothing():
    results = detections(
        [(0, 0, LEFT)], [(0, 0, LEFT, 0.9), (0, 0, LEFT, 0.5), (0, 0, LEFT, 0.4)]
    )
    assert any_class(results, 0.5).truth.tolist() == [0, -1, -1]
    assert any_class(results, 0.95).truth.tolist() == [-1, -1, -1]


def test_predictions_on_an_ignored_box_do_not_count():
    truth = [(0, 0, LEFT, True)]
    results = detections(truth, [(0, 0, LEFT, 0.9), (0, 0, LEFT, 0.8)])
    for matching in (classwise(results), any_class(results)):
        assert matching.truth.tolist() == [-1, -1]
        assert matching.ignored.tolist() == [True, True]
        assert not matching.found.any()


def test_an_ignored_box_of_another_class_excuses_only_where_classes_do_not_matter():
    results = detections([(0, 1, LEFT, True)], [(0, 0, LEFT, 0.9)])
    assert not classwise(results).ignored.any()
    assert any_class(results).ignored.all()


def test_a_real_box_goes_before_an_ignored_one():
    truth = [(0, 0, LEFT, True), (0, 0, RIGHT)]
    results = detections(truth, [(0, 0, LEFT, 0.9)])
    assert any_class(results).truth.tolist() == [1]
    assert classwise(results).ignored.tolist() == [True]


def test_a_box_annotated_twice_is_found_where_one_of_them_is_not_ignored():
    results = detections([(0, 0, LEFT, True), (0, 0, LEFT)], [(0, 0, LEFT, 0.9)])
    for matching in (classwise(results), any_class(results)):
        assert matching.truth.tolist() == [1]
        assert not matching.ignored.any()


def test_predictions_of_different_images_do_not_meet():
    results = detections(
        [(0, 0, LEFT), (1, 0, LEFT)],
        [(0, 0, LEFT, 0.1), (1, 0, LEFT, 0.9), (1, 0, LEFT, 0.8)],
        images=2,
    )
    assert classwise(results).truth.tolist() == [0, 1, -1]
    assert any_class(results).truth.tolist() == [0, 1, -1]


def iou_of(one, two):
    low, high = np.maximum(one[:2], two[:2]), np.minimum(one[2:], two[2:])
    width, height = np.maximum(high - low, 0)
    both = width * height
    size = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, two)]
    return both / (size[0] + size[1] - both)


def plain_any_class(results, threshold):
    truth, predicted = results.truth, results.predicted
    matched, ignored, taken = [], [], set()
    for row in range(len(predicted.score)):
        best, on_ignored = (0.5, -1), False
        for box in np.flatnonzero(truth.image == predicted.image[row]):
            iou = iou_of(predicted.box[row], truth.box[box])
            if predicted.score[row] < threshold or iou < 0.5:
                continue
            if truth.ignore[box]:
                on_ignored = True
            elif box not in taken and iou > best[0]:
                best = (iou, box)
        taken.add(best[1])
        matched.append(best[1])
        ignored.append(on_ignored and best[1] < 0)
    return matched, ignored


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('threshold', [0.0, 0.6])
def test_without_classes_as_plain_loops_do_it(seed, threshold):
    results = draw(seed, objects=20, predictions=60, ignore=0.2)
    matching = any_class(results, threshold)
    matched, ignored = plain_any_class(results, threshold)
    assert sum(one >= 0 for one in matched) > 5
    assert matching.truth.tolist() == matched
    assert matching.ignored.tolist() == ignored


def test_only_the_best_of_a_class_and_image_count_for_coco():
    boxes = [(20 * n, 0, 20 * n + 9, 9) for n in range(MOST + 2)]
    truth = [(0, 0, boxes[-1]), (0, 1, boxes[0])]
    scores = np.linspace(0.9, 0.1, MOST + 2)
    predicted = [(0, 0, box, s) for box, s in zip(boxes, scores, strict=True)]
    results = detections(truth, [*predicted, (0, 1, boxes[0], 0.05)])
    counts = counting(results)
    assert counts.tolist() == [True] * MOST + [False] * 2 + [True]
    matching = match_coco(results, find_overlaps(results))['all']
    assert matching.rows.tolist() == [MOST + 2]
    assert matching.found.all()


def test_count_before():
    assert count_before(np.array([5, 3, 5, 5, 3])).tolist() == [0, 0, 1, 2, 1]
    assert count_before(np.empty(0, np.intp)).tolist() == []
