"""Fusing boxes and pooling scores, against plain procedures and by hand."""

import math

import numpy as np
import pytest

from custom_datasets.predicting import fusion
from custom_datasets.predicting.fusion import (
    METHODS,
    POOLINGS,
    ModelBoxes,
    fuse_boxes,
    pool_scores,
)
from tests.evaluation.class_results import softmax
from tests.predicting import plain

IMAGES, LABELS, MODELS = 12, 3, 3


def model_boxes(rows):
    """Make boxes of rows ``(image, label, box, score, model)``."""
    image, label, box, score, model = zip(*rows, strict=True)
    return ModelBoxes(
        np.array(image), np.array(label), np.array(box, float).reshape(-1, 4),
        np.array(score, float), np.array(model),
    )  # fmt: skip


def draw(seed=0, models=MODELS):
    """Draw objects that each model sees shifted, and some that only it sees."""
    rng = np.random.default_rng(seed)
    rows = []
    for image in range(IMAGES - 1):  # The last image has none.
        for label in range(LABELS):
            corner = rng.uniform(0, 200, (6, 2))
            objects = np.hstack((corner, corner + rng.uniform(20, 90, (6, 2))))
            for model in range(models):
                seen = objects[: rng.integers(0, 7)]
                shifted = seen + rng.normal(0, 6, seen.shape)
                rows += [
                    (image, label, box.tolist(), float(rng.uniform(0.01, 1)), model)
                    for box in shifted
                    if (box[2:] - box[:2]).min() > 1
                ]
    order = rng.permutation(len(rows))
    return [rows[index] for index in order]


def as_rows(found):
    """Return what is predicted as sorted rows of numbers."""
    table = np.column_stack((found.image, found.label, found.score, found.box))
    return table[np.lexsort(np.round(table.T[::-1], 6))]


def expected(rows, procedure):
    """Run a plain procedure on each image and class."""
    table = []
    for image in range(IMAGES):
        for label in range(LABELS):
            chosen = [row for row in rows if row[:2] == (image, label)]
            table += [(image, label, score, *box) for box, score in procedure(chosen)]
    array = np.array(table)
    return array[np.lexsort(np.round(array.T[::-1], 6))]


def flat(rows):
    return [(tuple(box), score) for _, _, box, score, _ in rows]


def by_model(rows):
    return [flat([row for row in rows if row[4] == m]) for m in range(MODELS)]


PLAIN = {
    'wbf': lambda rows, t: plain.weighted_boxes_fusion(by_model(rows), t),
    'nms': lambda rows, t: plain.nms(flat(rows), t),
    'soft-nms': lambda rows, t: [
        one for one in plain.soft_nms(flat(rows), t) if one[1] >= 1e-3
    ],
    'nmw': lambda rows, t: plain.nmw(flat(rows), t),
}


@pytest.mark.parametrize('threshold', [0.3, 0.55, 0.8])
@pytest.mark.parametrize('method', METHODS)
def test_agrees_with_the_plain_procedure(method, threshold):
    rows = draw()
    found = fuse_boxes(model_boxes(rows), np.ones(MODELS), method, threshold, 10**6)
    wanted = expected(rows, lambda chosen: PLAIN[method](chosen, threshold))
    np.testing.assert_allclose(as_rows(found), wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize('method', METHODS)
def test_the_same_box_of_two_models(method):
    rows = [(*row[:4], row[4] % 2) for row in draw(2)]
    rows += [(*row[:3], row[3] / 3, 2) for row in rows[::2]]
    found = fuse_boxes(model_boxes(rows), np.ones(MODELS), method, 0.5, 10**6)
    wanted = expected(rows, lambda chosen: PLAIN[method](chosen, 0.5))
    np.testing.assert_allclose(as_rows(found), wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize('method', METHODS)
def test_blocks_of_any_size_give_the_same(method, monkeypatch):
    boxes = model_boxes(draw(1))
    whole = fuse_boxes(boxes, np.ones(MODELS), method)
    monkeypatch.setattr(fusion, 'CELLS', 1)
    alone = fuse_boxes(boxes, np.ones(MODELS), method)
    np.testing.assert_array_equal(as_rows(whole), as_rows(alone))
    assert (np.diff(whole.image) >= 0).all()
    assert (np.diff(whole.score)[np.diff(whole.image) == 0] <= 0).all()


def test_two_boxes_by_hand():
    boxes = model_boxes([
        (0, 0, (0, 0, 10, 10), 0.9, 0),
        (0, 0, (2, 0, 12, 10), 0.6, 1),
        (0, 0, (50, 50, 60, 60), 0.8, 1),
    ])  # fmt: skip
    found = fuse_boxes(boxes, np.ones(2), 'wbf', 0.55)
    # (0.9 * 0 + 0.6 * 2) / 1.5 = 0.8; one of two models sees the other box.
    np.testing.assert_allclose(found.box, [(0.8, 0, 10.8, 10), (50, 50, 60, 60)])
    np.testing.assert_allclose(found.score, [0.75, 0.4])
    # IoU 80 / 120; (0.9 * 0 + 0.6 * 2 / 3 * 2) / 1.3 = 8 / 13.
    moved = fuse_boxes(boxes, np.ones(2), 'nmw', 0.55)
    np.testing.assert_allclose(moved.box[0], (8 / 13, 0, 10 + 8 / 13, 10))
    np.testing.assert_allclose(moved.score, [0.9, 0.8])
    soft = fuse_boxes(boxes, np.ones(2), 'soft-nms', 0.55)
    np.testing.assert_allclose(soft.score, [0.9, 0.8, 0.6 / 3])
    # Half of what it is elsewhere is the weight of the second model.
    plainly = fuse_boxes(boxes, np.array([2, 1]), 'nms', 0.55)
    np.testing.assert_allclose(plainly.score, [0.9, 0.4])


def test_a_model_of_weight_two_counts_as_two_models():
    rows = [(0, 0, (0, 0, 10, 10), 0.9, 0), (0, 0, (2, 0, 12, 10), 0.6, 1)]
    rows.append((0, 0, (80, 0, 90, 10), 0.6, 0))
    weighted = fuse_boxes(model_boxes(rows), np.array([2.0, 1.0]), 'wbf', 0.5)
    twice = [*rows, *((*row[:4], 2) for row in rows if row[4] == 0)]
    copied = fuse_boxes(model_boxes(twice), np.ones(3), 'wbf', 0.5)
    np.testing.assert_allclose(as_rows(weighted), as_rows(copied))
    # (2 * 0.9 + 0.6) / 3 is all there is to agree; 0.6 * 2 / 3 has two thirds of it.
    np.testing.assert_allclose(weighted.score, [0.8, 0.4])


def test_no_score_leaves_0_to_1():
    # Three boxes of one heavy model on one place: the mean may not grow past 1.
    rows = [(0, 0, (0, 0, 10, 10 + k / 10), 1.0, 0) for k in range(3)]
    rows.append((0, 0, (0, 0, 10, 10), 1.0, 1))
    found = fuse_boxes(model_boxes(rows), np.array([3.0, 0.5]), 'wbf', 0.5)
    np.testing.assert_allclose(found.score, [1.0])


@pytest.mark.parametrize('method', METHODS)
def test_what_says_nothing_is_left_out(method):
    rows = [
        (0, 1, (5, 5, 5, 30), 0.9, 0),
        (0, 1, (0, 0, 9, 9), 0.0, 0),
        (1, 1, (0, 0, 9, 9), 0.7, 1),
        (2, 1, (1, 2, 3, 4), 0.5, 0),
    ]
    found = fuse_boxes(model_boxes(rows), np.array([1.0, 0.0]), method)
    assert found.image.tolist() == [2]
    assert found.box.tolist() == [[1, 2, 3, 4]]
    nothing = fuse_boxes(model_boxes(rows).take(np.zeros(0, int)), np.ones(2), method)
    assert nothing.box.shape == (0, 4)


@pytest.mark.parametrize('method', METHODS)
def test_an_overlap_of_just_the_threshold_is_not_above_it(method):
    rows = [(0, 0, (0, 0, 10, 10), 0.9, 0), (0, 0, (0, 0, 10, 5), 0.6, 1)]
    found = fuse_boxes(model_boxes(rows), np.ones(2), method, 0.5)
    assert len(found.score) == 2
    # Soft-NMS lowers scores from the threshold on.
    assert found.score[1] == pytest.approx(
        0.3 if method in ('soft-nms', 'wbf') else 0.6
    )


def test_only_the_best_are_kept():
    rows = [(0, 0, (20 * k, 0, 20 * k + 9, 9), k / 10, 0) for k in range(1, 8)]
    found = fuse_boxes(model_boxes(rows), np.ones(1), 'wbf', most=3)
    np.testing.assert_allclose(found.score, [0.7, 0.6, 0.5])
    assert found.box[:, 0].tolist() == [140, 120, 100]


def plain_mean(rows, weights):
    total = sum(weights)
    return [
        sum(w * row[k] for w, row in zip(weights, rows, strict=True)) / total
        for k in range(len(rows[0]))
    ]


def plain_logits(rows, weights):
    total = sum(weights)
    powers = [
        math.prod(row[k] ** (w / total) for w, row in zip(weights, rows, strict=True))
        for k in range(len(rows[0]))
    ]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize('method', POOLINGS)
def test_scores_agree_with_plain_loops(method):
    rng = np.random.default_rng(0)
    models, images, classes = 3, 20, 5
    logits = rng.normal(size=(models * images, classes)) * 3
    scores = softmax(logits).reshape(models, images, classes)
    weights = [1.0, 0.25, 0.5]
    plain = {'mean': plain_mean, 'logits': plain_logits}[method]
    wanted = [plain(scores[:, image].tolist(), weights) for image in range(images)]
    pooled = pool_scores(scores, np.array(weights), method)
    np.testing.assert_allclose(pooled, wanted, rtol=1e-10)
    np.testing.assert_allclose(pooled.sum(axis=1), 1)


@pytest.mark.parametrize('method', POOLINGS)
def test_a_model_of_weight_zero_says_nothing(method):
    scores = np.array([[[0.7, 0.2, 0.1]], [[0.0, 0.0, 1.0]]])
    pooled = pool_scores(scores, np.array([0.5, 0.0]), method)
    np.testing.assert_allclose(pooled, [[0.7, 0.2, 0.1]])


def test_a_probability_of_zero_keeps_logits_finite():
    scores = np.array([[[1.0, 0.0]], [[0.5, 0.5]]])
    pooled = pool_scores(scores, np.ones(2), 'logits')
    # 0 counts as float32's smallest normal number, 2 ** -126: its root is 2 ** -63.
    np.testing.assert_allclose(pooled, [[1, 2.0**-63]], rtol=1e-9)
