"""Calibration: against plain references, torch, and classifiers drawn to be so."""

import numpy as np
import pytest
import torch

from custom_datasets.evaluation.calibration import (
    LOWEST,
    calibration_error,
    chance_errors,
    fit_temperature,
    log_probabilities,
    reliability,
    true_class_loss,
    with_temperature,
    without_bias,
)
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.intervals import bootstrap, estimate, resample
from tests.evaluation.class_results import draw, softmax


def error(confidence, correct, weights=None):
    weights = np.ones(len(confidence)) if weights is None else np.asarray(weights)
    return calibration_error(
        reliability(np.array(confidence), np.array(correct), weights.astype(float))
    )


def slow_error(confidence, correct, bins=15):
    """Guo et al., equation 3, literally."""
    total = 0.0
    for m in range(1, bins + 1):
        inside = [i for i, c in enumerate(confidence) if (m - 1) / bins < c <= m / bins]
        if inside:
            accuracy = sum(correct[i] for i in inside) / len(inside)
            sure = sum(confidence[i] for i in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - sure)
    return total


def test_bins_are_open_below_and_closed_above():
    edges = np.array([0, 1e-9, 1 / 15, 0.07, 0.5, 0.9, 14 / 15, 0.94, 1])
    curve = reliability(edges, np.ones(9, bool), np.ones(9))
    counts = dict.fromkeys(range(15), 0) | {0: 3, 1: 1, 7: 1, 13: 2, 14: 2}
    assert curve.images.tolist() == list(counts.values())


@pytest.mark.parametrize('seed', range(3))
def test_agreement_with_a_plain_reference(seed):
    found = decide(draw(300, 4, seed, temperature=2))
    expected = slow_error(found.confidence, found.correct)
    assert error(found.confidence, found.correct) == pytest.approx(expected)


def test_weights_count_as_repeated_images():
    found = decide(draw(80, 4))
    weights = next(iter(resample(80, seed=3)))
    again = np.repeat(np.arange(80), weights)
    assert error(found.confidence, found.correct, weights) == pytest.approx(
        error(found.confidence[again], found.correct[again])
    )


def test_a_temperature_divides_logits():
    logits = np.random.default_rng(0).normal(size=(20, 5)) * 4
    scaled = with_temperature(log_probabilities(softmax(logits)), 1.7)
    expected = torch.log_softmax(torch.tensor(logits) / 1.7, dim=1)
    np.testing.assert_allclose(scaled, expected, atol=1e-12)


def test_loss_agrees_with_torch():
    drawn = draw(50, 4)
    logs = log_probabilities(drawn.scores)
    expected = torch.nn.functional.nll_loss(
        torch.tensor(logs), torch.tensor(drawn.truth), reduction='none'
    )
    np.testing.assert_allclose(true_class_loss(logs, drawn.truth), expected)


@pytest.mark.parametrize('seed', range(3))
def test_no_other_temperature_is_likelier(seed):
    drawn = draw(60, 3, seed, temperature=1.6)
    logs = log_probabilities(drawn.scores)
    found = fit_temperature(logs, drawn.truth)

    def loss(temperature):
        return true_class_loss(with_temperature(logs, temperature), drawn.truth).mean()

    grid = np.geomspace(0.06, 19, 400)
    best = grid[np.argmin([loss(one) for one in grid])]
    assert found == pytest.approx(best, rel=0.02)
    assert loss(found) <= min(loss(one) for one in grid) + 1e-12


def test_no_temperature_where_the_likelihood_has_no_best_one():
    right = np.array([[0.8, 0.2], [0.3, 0.7]])
    assert fit_temperature(log_probabilities(right), np.array([0, 1])) is None
    # Always wrong: the less sure, the better.
    assert fit_temperature(log_probabilities(right), np.array([1, 0])) is None
    # Never sure: no temperature changes anything.
    even = np.full((4, 2), 0.5)
    assert fit_temperature(log_probabilities(even), np.array([0, 1, 1, 1])) is None


def test_a_probability_of_0_counts_as_the_lowest():
    logs = log_probabilities(np.array([[1.0, 0.0], [0.6, 0.4], [0.3, 0.7]]))
    assert (
        logs[0, 1] == pytest.approx(np.log(LOWEST)) == pytest.approx(-87.34, abs=0.01)
    )
    found = fit_temperature(logs, np.array([1, 0, 1]))
    assert found is None or np.isfinite(found)
    assert np.isfinite(with_temperature(logs, 0.05)).all()


def test_chance_explains_the_error_of_a_calibrated_classifier():
    inside = 0
    for seed in range(40):
        found = decide(draw(150, 4, seed))
        chance = chance_errors(found.confidence, 200, seed=0)
        inside += error(found.confidence, found.correct) <= np.percentile(chance, 95)
    assert inside >= 34  # 38 are expected; fewer than 34 have a chance of 1 %.


def test_chance_does_not_explain_the_error_of_one_that_is_too_sure():
    found = decide(draw(300, 4, temperature=3))
    chance = chance_errors(found.confidence, 200, seed=0)
    assert error(found.confidence, found.correct) > 2 * chance.max()


@pytest.mark.parametrize('temperature', [1, 1.5])
def test_the_interval_holds_the_true_error(temperature):
    many = decide(draw(100_000, 4, 99, temperature))
    true = 0 if temperature == 1 else error(many.confidence, many.correct)
    held = 0
    for seed in range(40):
        found = decide(draw(150, 4, seed, temperature))
        confidence, correct = found.confidence, found.correct
        percentiles = bootstrap(
            lambda w, c=confidence, r=correct: np.array([error(c, r, w)]), 150, 200
        )[0]
        chance = np.percentile(chance_errors(confidence, 200, seed=0), 95)
        _, low, high = without_bias(percentiles, chance)
        held += low <= true <= high
        # Without the correction a calibrated classifier is never called so.
        assert temperature != 1 or percentiles.low > 0
    assert held >= 34


def test_the_interval_is_mirrored_at_the_value():
    percentiles = estimate(0.1, np.linspace(0.08, 0.18, 1001))
    basic = without_bias(percentiles, 0.05)
    assert basic.value == 0.1
    assert basic.low == pytest.approx(0.2 - percentiles.high)
    assert basic.high == pytest.approx(0.2 - percentiles.low)
    assert without_bias(percentiles, 0.12) == (0.1, 0, basic.high)
