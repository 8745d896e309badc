"""Pairs of predictions and boxes that overlap, against pycocotools' IoU."""

import numpy as np
import pytest
from pycocotools import mask

from custom_datasets.evaluation import matching as module
from custom_datasets.evaluation.matching import areas, find_overlaps
from tests.evaluation.drawn_detections import detections, draw


def sides(box):
    return np.concatenate([box[:, :2], box[:, 2:] - box[:, :2]], axis=1)


@pytest.mark.parametrize('chunk', [1, 7, 1 << 20])
def test_all_pairs_that_overlap_and_no_other(chunk, monkeypatch):
    monkeypatch.setattr(module, 'CHUNK', chunk)
    results = draw(0, ignore=0.3)
    truth, predicted = results.truth, results.predicted
    boxes = sides(predicted.box), sides(truth.box)
    crowds = np.zeros(len(truth.box))
    iou = mask.iou(*boxes, crowds)
    inside = mask.iou(*boxes, crowds + 1)
    together = predicted.image[:, None] == truth.image
    kept = together & ((iou >= 0.1) | (truth.ignore & (inside >= 0.1)))
    pairs = find_overlaps(results)
    expected = np.nonzero(kept)
    assert len(expected[0]) > 100
    np.testing.assert_array_equal(pairs.predicted, expected[0])
    np.testing.assert_array_equal(pairs.truth, expected[1])
    np.testing.assert_allclose(pairs.iou, iou[expected], rtol=1e-12)
    np.testing.assert_allclose(pairs.inside, inside[expected], rtol=1e-12)


def test_boxes_that_only_touch_or_have_no_area():
    results = detections(
        [(0, 0, (0, 0, 10, 10)), (0, 0, (50, 50, 50, 50))],
        [(0, 0, (10, 0, 20, 10), 0.9), (0, 0, (50, 50, 50, 50), 0.8)],
    )
    assert len(find_overlaps(results).iou) == 0


def test_nothing_to_compare():
    for results in (detections([], []), detections([(0, 0, (0, 0, 9, 9))], [])):
        assert len(find_overlaps(results).predicted) == 0


def test_areas():
    np.testing.assert_array_equal(
        areas(np.array([[1.0, 2, 4, 6], [0, 0, 0, 5]])), [12, 0]
    )
