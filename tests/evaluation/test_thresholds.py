"""Curves along the score, and the threshold chosen on them."""

import numpy as np
import pytest

from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.matching import find_overlaps, match_classwise
from custom_datasets.evaluation.thresholds import (
    DEFAULT,
    POINTS,
    THRESHOLDS,
    Ranked,
    area_under,
    best_threshold,
    choose,
    count,
    count_sizes,
    curves,
    ranked,
)
from tests.evaluation.drawn_detections import detections, draw


def ranking(*predictions, objects):
    """Predictions are ``(score, found)``."""
    scores, found = zip(*predictions, strict=True)
    return Ranked(np.array(scores), np.array(found), objects)


def matched(results):
    return match_classwise(results, find_overlaps(results))


def seen(*predictions, objects):
    """One image of one class: predictions are ``(score, found)``."""
    boxes = [(20 * n, 0, 20 * n + 10, 10) for n in range(objects)]
    nothing = (0, 100, 10, 110)
    places = iter(boxes)
    predicted = [
        (0, 0, next(places) if right else nothing, score)
        for score, right in predictions
    ]
    results = detections([(0, 0, box) for box in boxes], predicted, ('a',))
    return curves(results, matched(results))


def at(values, name, threshold):
    return values[name][int(np.flatnonzero(np.isclose(THRESHOLDS, threshold))[0])]


@pytest.mark.parametrize(
    ('threshold', 'precision', 'recall', 'f1'),
    [
        (0.0, 2 / 3, 0.5, 4 / 7),
        (0.3, 2 / 3, 0.5, 4 / 7),
        (0.305, 0.5, 0.25, 2 / 6),
        (0.9, 1, 0.25, 2 / 5),
        (0.905, np.nan, 0, 0),
    ],
)
def test_rates_along_the_threshold(threshold, precision, recall, f1):
    three = seen((0.9, True), (0.6, False), (0.3, True), objects=4)
    expected = {'precision': precision, 'recall': recall, 'f1': f1}
    for values in (three['overall'], three['per_class'][0]):
        for name, value in expected.items():
            assert at(values, name, threshold) == pytest.approx(value, nan_ok=True)


def test_precision_is_the_best_from_a_recall_on():
    four = seen((0.9, True), (0.8, False), (0.7, True), (0.6, True), objects=4)
    assert four['per_class'][0]['pr'] == {
        'recall': [0.25, 0.5, 0.75],
        'precision': [1, 0.75, 0.75],
        'score': [0.9, 0.7, 0.6],
    }
    empty = {'recall': [], 'precision': [], 'score': []}
    assert seen((0.9, False), objects=3)['per_class'][0]['pr'] == empty


def test_long_curves_are_thinned_to_both_ends():
    right = [(1 - n / 1000, True) for n in range(1000)]
    values = seen(*right, objects=1000)['per_class'][0]['pr']
    assert len(values['recall']) == POINTS
    assert values['recall'][0] == 0.001
    assert values['recall'][-1] == 1


def test_the_area_under_the_curve_is_the_average_precision():
    results = draw(3)
    per_class = [
        area_under(ranked(results, matched(results), label))
        for label in range(len(results.classes))
    ]
    values = ap_tables(results).ap50(np.ones(len(results.images)))
    np.testing.assert_allclose(per_class, values[1:])


def test_all_classes_together_are_one_ranking():
    results = draw(1)
    matching, overall = matched(results), curves(results, matched(results))['overall']
    kept = results.predicted.score >= 0.5
    right = (kept & matching.found).sum()
    assert at(overall, 'precision', 0.5) == right / (kept & ~matching.ignored).sum()
    assert at(overall, 'recall', 0.5) == right / (~results.truth.ignore).sum()


@pytest.mark.parametrize(
    ('predictions', 'objects', 'threshold', 'f1'),
    [
        # 2/5, 2/6, 4/7: all three are kept from 0 to 0.3.
        ([(0.9, True), (0.6, False), (0.3, True)], 4, 0.15, 4 / 7),
        # Only the first: above 0.6, up to 0.9.
        ([(0.9, True), (0.6, False)], 1, 0.75, 1),
        # Both scores of 0.8 or none of them.
        ([(0.8, False), (0.8, True), (0.1, False)], 1, 0.45, 2 / 3),
        # 2/3 above 0.8 and, which is wider, from 0 on.
        ([(0.9, True), (0.8, False), (0.7, False), (0.3, True)], 2, 0.15, 2 / 3),
        # 2/3 in two ranges of one width: the higher.
        ([(1.0, True), (0.75, False), (0.5, False), (0.25, True)], 2, 0.88, 2 / 3),
        # 2/3 in two ranges that follow each other are one.
        ([(0.9, True), (0.6, True), (0.6, False), (0.6, False)], 2, 0.45, 2 / 3),
        # In too narrow a range for two digits.
        ([(0.5004, True), (0.5001, False)], 1, 0.5002, 1),
        # Two digits of the middle are 0.49, which would keep the second.
        ([(0.5, True), (0.49, False)], 1, 0.495, 1),
    ],
)
def test_the_best_threshold(predictions, objects, threshold, f1):
    choice = best_threshold(ranking(*predictions, objects=objects))
    assert choice.threshold == pytest.approx(threshold)
    assert choice.f1 == pytest.approx(f1)


def test_no_threshold_where_nothing_is_found():
    assert best_threshold(ranking((0.9, False), objects=2)) is None


@pytest.mark.parametrize('seed', range(5))
def test_no_other_threshold_is_better(seed):
    results = draw(seed, ties=seed % 2 == 0)
    one = ranked(results, matched(results))
    choice = best_threshold(one)

    def f1(threshold):
        kept = one.score >= threshold
        return 2 * one.found[kept].sum() / (kept.sum() + one.objects)

    assert f1(choice.threshold) == choice.f1
    assert choice.f1 == max(f1(score) for score in one.score)


BOX, FAR = (0, 0, 50, 50), (200, 200, 220, 220)


def test_thresholds_of_classes():
    results = detections(
        [(0, 0, BOX), (1, 0, BOX), (1, 1, FAR)],
        [
            (0, 0, BOX, 0.9),
            (0, 0, FAR, 0.8),
            (1, 0, BOX, 0.7),
            (1, 1, BOX, 0.6),
        ],
        classes=('a', 'b', 'c'),
        images=2,
    )
    choices = choose(results, matched(results))
    # a: 2/3, 1/2, 4/5. All: 1/2, 2/5, 2/3, 4/7.
    assert choices.chosen
    assert choices.overall.threshold == pytest.approx(0.65)
    assert choices.overall.f1 == pytest.approx(2 / 3)
    assert choices.of_classes == pytest.approx([0.35, 0.65, 0.65])
    assert choices.per_class[0].f1 == pytest.approx(0.8)
    # Nothing is found of b and c.
    assert np.isnan([choices.per_class[1].f1, choices.per_class[2].f1]).all()
    counts = count(results, matched(results), choices.of_classes)
    assert counts.shape == (2, 3, 3)
    assert counts[0].tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert counts[1].tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 0]]
    counts = count(results, matched(results), np.zeros(3))
    assert counts[1, 1].tolist() == [0, 1, 0]
    # What scores just the threshold is kept, what is on an ignored box is not false.
    ignored = detections([(0, 0, BOX, True)], [(0, 0, BOX, 0.5), (0, 0, FAR, 0.5)])
    counts = count(ignored, matched(ignored), np.full(2, 0.5))
    assert counts[0].tolist() == [[0, 0], [1, 0], [0, 0]]


def test_without_any_hit_there_is_a_default():
    results = detections([(0, 0, BOX)], [])
    choices = choose(results, matched(results))
    assert not choices.chosen
    assert choices.of_classes.tolist() == [DEFAULT, DEFAULT]


def test_found_by_size():
    # Areas 400 (small), 2500 (medium), 32 ** 2: both of them.
    edge = (300, 300, 332, 332)
    results = detections(
        [(0, 0, FAR), (0, 1, BOX), (0, 1, edge), (0, 1, BOX, True)],
        [(0, 0, FAR, 0.9), (0, 1, edge, 0.5), (0, 1, BOX, 0.2)],
    )
    found, objects = count_sizes(results, matched(results), 0.4)[0]
    assert found.tolist() == [[1, 1], [0, 1], [0, 0]]
    assert objects.tolist() == [[1, 1], [0, 2], [0, 0]]
