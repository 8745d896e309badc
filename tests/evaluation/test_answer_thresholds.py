"""From which confidence on to answer: by hand, and against trying every one."""

import numpy as np
import pytest

from custom_datasets.evaluation.answer_thresholds import (
    answer_thresholds,
    answered,
    coverage_curve,
    lowest_threshold,
)
from custom_datasets.evaluation.classification import decide
from tests.evaluation.class_results import draw, results

CONFIDENCE = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
CORRECT = np.array([True, True, False, True, False])


def slow_threshold(confidence, correct, goal):
    """Try every confidence; return how many are answered at the best."""
    counts = [0]
    for threshold in confidence:
        right = correct[confidence >= threshold]
        if right.mean() >= goal:
            counts.append(len(right))
    return max(counts)


@pytest.mark.parametrize(
    ('goal', 'expected'), [(1.0, 0.75), (0.75, 0.55), (0.6, 0.0), (0.1, 0.0)]
)
def test_thresholds_by_hand(goal, expected):
    assert lowest_threshold(CONFIDENCE, CORRECT, goal) == pytest.approx(expected)


def test_neighbouring_numbers_are_told_apart():
    upper = np.nextafter(1.0, 0)
    confidence = np.array([upper, np.nextafter(upper, 0)])
    threshold = lowest_threshold(confidence, np.array([True, False]), 1.0)
    assert (confidence >= threshold).tolist() == [True, False]


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('goal', [0.6, 0.8, 0.9, 1.0])
def test_no_threshold_answers_more(seed, goal):
    rng = np.random.default_rng(seed)
    confidence = rng.integers(1, 30, size=60) / 30
    correct = rng.random(60) < confidence
    threshold = lowest_threshold(confidence, correct, goal)
    count = 0 if threshold is None else (confidence >= threshold).sum()
    assert count == slow_threshold(confidence, correct, goal)
    if threshold is not None:
        assert correct[confidence >= threshold].mean() >= goal


def test_coverage_and_accuracy_by_hand():
    weights = np.array([1, 2, 1, 0, 4.0])
    assert answered(CONFIDENCE, CORRECT, 0.7, weights).tolist() == [4 / 8, 3 / 4]
    coverage, accuracy = answered(CONFIDENCE, CORRECT, 0.95, weights)
    assert coverage == 0 and np.isnan(accuracy)


def test_the_curve_by_hand():
    assert [tuple(one.values()) for one in coverage_curve(CONFIDENCE, CORRECT)] == [
        (0.9, 0.2, 1.0),
        (0.8, 0.4, 1.0),
        (0.7, 0.6, 0.666667),
        (0.6, 0.8, 0.75),
        (0.5, 1.0, 0.6),
    ]


def test_the_curve_does_not_grow_with_the_images():
    found = decide(draw(5000, 3))
    curve = coverage_curve(found.confidence, found.correct)
    assert len(curve) == 101
    assert curve[-1]['coverage'] == 1
    assert curve[-1]['accuracy'] == pytest.approx(found.correct.mean(), abs=1e-6)


def test_what_is_chosen_on_one_set_is_measured_on_the_other():
    val, test = decide(draw(800, 3, 1)), decide(draw(600, 3, 2))
    found = answer_thresholds(test, val, 50, 0)
    assert found['chosen_on'] == 'validation'
    row = next(one for one in found['goals'] if one['goal'] == 0.9)
    assert row['threshold'] == lowest_threshold(val.confidence, val.correct, 0.9)
    sure = test.confidence >= row['threshold']
    assert row['images'] == sure.sum()
    assert row['coverage']['value'] == pytest.approx(sure.mean(), abs=1e-6)
    assert row['accuracy']['value'] == pytest.approx(
        test.correct[sure].mean(), abs=1e-6
    )
    assert row['accuracy']['low'] < row['accuracy']['value'] < row['accuracy']['high']


def test_what_no_resample_changes_has_the_exact_interval():
    right = decide(results([0] * 12, [[0.9, 0.1]] * 12))
    row = answer_thresholds(right, right, 20, 0)['goals'][0]
    # All are answered, since none has to be left out: that is no estimate.
    assert row['threshold'] == 0
    assert row['coverage'] == {'value': 1, 'low': 1, 'high': 1}
    assert row['accuracy']['low'] == pytest.approx(0.7354, abs=1e-4)


def test_nothing_is_chosen_without_validation():
    found = answer_thresholds(decide(draw(50, 3)), None, 10, 0)
    assert found['chosen_on'] is None and found['goals'] == []
    assert found['curve']


def test_a_threshold_that_no_test_image_reaches():
    val = decide(draw(200, 3, 1, strength=6))
    test = decide(draw(20, 3, 2, strength=0.01))
    row = answer_thresholds(test, val, 20, 0)['goals'][-1]
    assert row['images'] == 0
    assert row['accuracy'] == {'value': None, 'low': None, 'high': None}
