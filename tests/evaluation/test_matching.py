"""Who overlaps and who finds what: pycocotools' IoU, plain loops, and by hand.

``match_classwise`` and ``match_coco`` are held by the comparisons with mmdet and
pycocotools in ``test_average_precision.py``.
"""

import numpy as np
import pytest
from pycocotools import mask

from custom_datasets.data.records import iou
from custom_datasets.evaluation import matching as module
from custom_datasets.evaluation.matching import (
    find_overlaps,
    match_any_class,
    match_classwise,
)
from tests.evaluation.drawn_detections import detections, draw

LEFT = (0, 0, 10, 10)


def classwise(results):
    return match_classwise(results, find_overlaps(results))


def any_class(results, threshold=0.0):
    return match_any_class(results, find_overlaps(results), threshold)


def sides(box):
    return np.concatenate([box[:, :2], box[:, 2:] - box[:, :2]], axis=1)


@pytest.mark.parametrize('chunk', [1, 7, 1 << 20])
def test_all_pairs_that_overlap_and_no_other(chunk, monkeypatch):
    monkeypatch.setattr(module, 'CHUNK', chunk)
    results = draw(0, ignore=0.3)
    truth, predicted = results.truth, results.predicted
    boxes = sides(predicted.box), sides(truth.box)
    crowds = np.zeros(len(truth.box))
    whole = mask.iou(*boxes, crowds)
    inside = mask.iou(*boxes, crowds + 1)
    together = predicted.image[:, None] == truth.image
    kept = together & ((whole >= 0.1) | (truth.ignore & (inside >= 0.1)))
    pairs = find_overlaps(results)
    expected = np.nonzero(kept)
    assert len(expected[0]) > 100
    np.testing.assert_array_equal(pairs.predicted, expected[0])
    np.testing.assert_array_equal(pairs.truth, expected[1])
    np.testing.assert_allclose(pairs.iou, whole[expected], rtol=1e-12)
    np.testing.assert_allclose(pairs.inside, inside[expected], rtol=1e-12)


@pytest.mark.parametrize(
    ('truth', 'predicted'),
    [
        ([], []),
        ([(0, 0, LEFT)], []),
        ([(0, 0, LEFT)], [(0, 0, (10, 0, 20, 10), 0.9)]),
        ([(0, 0, (50, 50, 50, 50))], [(0, 0, (50, 50, 50, 50), 0.8)]),
    ],
)
def test_boxes_that_only_touch_or_have_no_area(truth, predicted):
    assert len(find_overlaps(detections(truth, predicted)).iou) == 0


def test_one_box_annotated_as_two_classes_is_given_to_its_own():
    truth = [(0, 0, LEFT), (0, 1, LEFT)]
    results = detections(truth, [(0, 1, LEFT, 0.9), (0, 0, LEFT, 0.8)])
    assert any_class(results).truth.tolist() == [1, 0]


def test_an_ignored_box_of_another_class_excuses_only_where_classes_do_not_matter():
    results = detections([(0, 1, LEFT, True)], [(0, 0, LEFT, 0.9)])
    assert not classwise(results).ignored.any()
    assert any_class(results).ignored.all()


def test_a_box_annotated_twice_is_found_where_one_of_them_is_not_ignored():
    results = detections([(0, 0, LEFT, True), (0, 0, LEFT)], [(0, 0, LEFT, 0.9)])
    for matching in (classwise(results), any_class(results)):
        assert matching.truth.tolist() == [1]
        assert not matching.ignored.any()


def plain_any_class(results, threshold):
    truth, predicted = results.truth, results.predicted
    matched, ignored, taken = [], [], set()
    for row in range(len(predicted.score)):
        best, on_ignored = (0.5, -1), False
        for box in np.flatnonzero(truth.image == predicted.image[row]):
            overlap = iou(predicted.box[row], truth.box[box])
            if predicted.score[row] < threshold or overlap < 0.5:
                continue
            if truth.ignore[box]:
                on_ignored = True
            elif box not in taken and overlap > best[0]:
                best = (overlap, box)
        taken.add(best[1])
        matched.append(best[1])
        ignored.append(on_ignored and best[1] < 0)
    return matched, ignored


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('threshold', [0.0, 0.5])
def test_without_classes_as_plain_loops_do_it(seed, threshold):
    results = draw(seed, objects=20, predictions=60, ignore=0.2, ties=True)
    matching = any_class(results, threshold)
    matched, ignored = plain_any_class(results, threshold)
    assert sum(box >= 0 for box in matched) > 5
    assert matching.truth.tolist() == matched
    assert matching.ignored.tolist() == ignored
