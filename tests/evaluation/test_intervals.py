"""Resampling: weights, intervals, and how often an interval holds the truth."""

import numpy as np
import pytest

from custom_datasets.evaluation.intervals import Estimate, bootstrap, estimate, resample


def test_a_resample_draws_as_many_images_as_there_are():
    drawn = list(resample(7, count=20, seed=3))
    assert len(drawn) == 20
    assert all(weights.shape == (7,) and weights.sum() == 7 for weights in drawn)
    again = list(resample(7, count=20, seed=3))
    assert all((a == b).all() for a, b in zip(drawn, again, strict=True))
    other = list(resample(7, count=20, seed=4))
    assert any((a != b).any() for a, b in zip(drawn, other, strict=True))


def test_the_interval_leaves_out_a_fortieth_at_either_end():
    found = estimate(0.5, np.arange(1001) / 1000)
    assert found == pytest.approx((0.5, 0.025, 0.975))


def test_what_is_not_defined_has_no_interval():
    assert np.isnan(estimate(np.nan, np.ones(5)).low)
    assert np.isnan(estimate(0.5, np.full(5, np.nan)).low)
    assert estimate(1.0, np.array([1.0, np.nan])) == (1.0, 1.0, 1.0)
    written = Estimate(0.1234567, np.nan, 1.0).as_json()
    assert written == {'value': 0.123457, 'low': None, 'high': 1.0}


def test_the_interval_of_a_share_is_that_of_the_binomial():
    right = np.zeros(400)
    right[:300] = 1
    (found,) = bootstrap(lambda w: np.array([w @ right / w.sum()]), 400, 2000)
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert found.value == 0.75
    assert found.low == pytest.approx(0.75 - half, abs=0.005)
    assert found.high == pytest.approx(0.75 + half, abs=0.005)
