"""Measures of sets: near zero for the same, large for others, and honest."""

import numpy as np
import pytest

from custom_datasets.evaluation.distributions import (
    coverage,
    kernel_distance,
    mean_distance,
    nearer_share,
    nearest,
    share_of,
    spread,
)


def normal(count, shift=0.0, scale=1.0, seed=0, dimensions=3):
    rng = np.random.default_rng(seed)
    return rng.normal(shift, scale, size=(count, dimensions))


def test_kernel_distance_is_the_unbiased_estimate():
    """Against the definition, summed pair by pair."""
    real, made = normal(7, seed=1), normal(5, 0.5, seed=2)

    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    within_real = [kernel(a, b) for i, a in enumerate(real) for b in real[i + 1 :]]
    within_made = [kernel(a, b) for i, a in enumerate(made) for b in made[i + 1 :]]
    between = [kernel(a, b) for a in real for b in made]
    expected = np.mean(within_real) + np.mean(within_made) - 2 * np.mean(between)
    assert kernel_distance(real, made).value == pytest.approx(expected)


def test_kernel_distance_interval_is_the_jackknifes():
    """Against leaving each row out by hand."""
    real, made = normal(7, seed=1), normal(5, 0.5, seed=2)
    without_real = [
        kernel_distance(np.delete(real, i, axis=0), made).value for i in range(7)
    ]
    without_made = [
        kernel_distance(real, np.delete(made, i, axis=0)).value for i in range(5)
    ]
    variance = 6 * np.var(without_real) + 4 * np.var(without_made)
    result = kernel_distance(real, made)
    assert result.high - result.value == pytest.approx(1.959964 * variance**0.5)
    assert result.value - result.low == pytest.approx(1.959964 * variance**0.5)


def test_kernel_distance_of_one_distribution_is_about_zero_and_unbiased():
    values = [
        kernel_distance(normal(30, seed=i), normal(40, seed=1000 + i)).value
        for i in range(60)
    ]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 3 * np.std(values) / 60**0.5


def test_kernel_distance_grows_with_the_difference():
    real = normal(60)
    near, far = (
        kernel_distance(real, normal(60, shift, seed=1)) for shift in (0.3, 1.0)
    )
    assert 0 < near.value < far.value
    assert near.high < far.low


def test_the_interval_covers():
    """Of 100 draws about 95 intervals hold the mean of many draws."""
    draws = [
        kernel_distance(
            normal(40, seed=i, dimensions=16),
            normal(40, 0.5, seed=500 + i, dimensions=16),
        )
        for i in range(100)
    ]
    truth = np.mean([draw.value for draw in draws])
    covering = sum(draw.low <= truth <= draw.high for draw in draws)
    assert 88 <= covering <= 99


def test_coverage_of_one_distribution():
    result = coverage(normal(200), normal(200, seed=1))
    assert result.precision.value > 0.8 and result.recall.value > 0.8
    assert result.precision.low < result.precision.value < result.precision.high


def test_noise_has_no_precision():
    result = coverage(normal(100), normal(100, shift=8, seed=1))
    assert result.precision.value == 0 == result.recall.value
    assert result.precision.low == pytest.approx(0)
    assert 0.02 < result.precision.high < 0.06


def test_one_repeated_picture_has_no_recall():
    real = normal(100)
    made = np.repeat(real[:1], 50, axis=0)
    result = coverage(real, made)
    assert result.precision.value == 1
    assert result.recall.value <= 0.01


def test_half_the_kinds_are_half_the_recall():
    real = np.concatenate([normal(50), normal(50, 20, seed=1)])
    result = coverage(real, normal(100, seed=2))
    assert result.precision.value > 0.8
    assert 0.4 < result.recall.value <= 0.5


def test_nearest_names_the_copies():
    real = normal(3000, dimensions=16)
    made = np.concatenate([normal(2, seed=1, dimensions=16), real[[2500, 7]]])
    result = nearest(made, real)
    assert result.distances[:2].min() > 1
    np.testing.assert_allclose(result.distances[2:], 0, atol=1e-6)
    assert result.indices[2:].tolist() == [2500, 7]
    many = nearest(real, made)
    assert many.distances.shape == (3000,)
    assert many.indices[[2500, 7]].tolist() == [2, 3]


def test_mean_distance():
    assert mean_distance(np.array([[0.0, 0], [3, 4], [0, 0]])) == pytest.approx(10 / 3)
    assert np.isnan(mean_distance(np.zeros((1, 2))))


@pytest.mark.parametrize('count', [1, 2])
def test_too_few_pictures(count):
    with pytest.raises(ValueError, match='three pictures'):
        kernel_distance(normal(count), normal(5))
    with pytest.raises(ValueError, match='more than 3'):
        coverage(normal(5), normal(count))


def test_spread_is_a_ratio_of_mean_distances():
    rows, references = normal(6), normal(9, scale=2, seed=1)
    result = spread(rows, references)
    assert result.value == pytest.approx(
        mean_distance(rows) / mean_distance(references)
    )
    same = spread(normal(60, dimensions=16), normal(80, 5, seed=1, dimensions=16))
    assert same.low < 1 < same.high
    half = spread(
        normal(60, scale=0.5, dimensions=16), normal(80, seed=1, dimensions=16)
    )
    assert half.low < 0.5 < half.high < 0.6


def test_the_interval_of_spread_is_the_jackknifes():
    rows, references = normal(6), normal(9, scale=2, seed=1)
    variance = 0.0
    for each in (rows, references):
        without = [mean_distance(np.delete(each, i, axis=0)) for i in range(len(each))]
        variance += (len(each) - 1) * np.var(without) / mean_distance(each) ** 2
    result = spread(rows, references)
    margin = np.log(result.high / result.value)
    assert margin == pytest.approx(1.959964 * variance**0.5)
    assert result.low == pytest.approx(result.value**2 / result.high)


def test_the_interval_of_spread_covers():
    results = [
        spread(normal(15, seed=i), normal(25, scale=2, seed=900 + i))
        for i in range(200)
    ]
    covering = sum(result.low <= 0.5 <= result.high for result in results)
    assert 180 <= covering <= 198


def test_spread_of_one_repeated_picture_is_none():
    one = np.repeat(normal(1, dimensions=16), 9, axis=0)
    assert spread(one, normal(9)[:, :1].repeat(16, axis=1)).value == 0
    assert np.isnan(spread(normal(9, dimensions=16), one).value)
    assert np.isnan(spread(normal(2), normal(9)).value)


def test_nearer_share_counts_pairs():
    distances, references = np.array([1.0, 3, 4]), np.array([2.0, 3, 9, 9])
    # 1 is below all four; 3 below two and level with one; 4 below two.
    assert nearer_share(distances, references).value == pytest.approx(8.5 / 12)
    assert nearer_share(np.zeros(5), np.ones(5)) == (1, 1, 1)
    assert np.isnan(nearer_share(distances, references[:1]).value)


def test_the_interval_of_nearer_share_covers():
    """A normal one that is shifted by one is nearer with probability 0.7602."""
    results = [
        nearer_share(
            *(normal(40, shift, seed=i, dimensions=1)[:, 0] for i, shift in pair)
        )
        for pair in [((2 * k, 0), (2 * k + 1, 1)) for k in range(200)]
    ]
    covering = sum(result.low <= 0.76025 <= result.high for result in results)
    assert 180 <= covering <= 198


def test_share_of_none():
    assert np.isnan(share_of(np.zeros(0, dtype=bool)).value)


@pytest.mark.parametrize('shift', [0, 0.5])
def test_the_intervals_of_coverage_cover(shift):
    """Wilson's alone would hold three draws in four: the other side varies too."""
    draws = [
        coverage(
            normal(60, seed=i, dimensions=16),
            normal(60, shift, seed=500 + i, dimensions=16),
        )
        for i in range(60)
    ]
    for part in ('precision', 'recall'):
        shares = [getattr(draw, part) for draw in draws]
        truth = np.mean([share.value for share in shares])
        covering = sum(share.low <= truth <= share.high for share in shares)
        assert covering >= 56
        assert np.mean([s.high - s.low for s in shares]) < 8 * np.std(
            [s.value for s in shares]
        )


@pytest.mark.parametrize('twins', [1, 2])
def test_coverage_left_out_by_hand(twins):
    """The jackknife of precision against leaving each real row out."""
    real, made = normal(12 // twins, seed=1).repeat(twins, axis=0), normal(9, seed=2)
    result = coverage(real, made).precision
    without = [
        coverage(np.delete(real, i, axis=0), made).precision.value for i in range(12)
    ]
    share = result.value
    variance = share * (1 - share) / 9 + 11 * np.var(without)
    count = share * (1 - share) / variance
    weight = 1.959964**2 / count
    middle = (share + weight / 2) / (1 + weight)
    assert (result.low + result.high) / 2 == pytest.approx(middle)
    assert np.std(without) > 0
