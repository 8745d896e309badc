"""Whether a classifier is right as often as it says, and a temperature to fix it.

The reliability curve, the expected calibration error and temperature scaling
are those of C. Guo et al., "On Calibration of Modern Neural Networks", ICML
2017; the error goes back to M. P. Naeini et al., "Obtaining Well Calibrated
Probabilities Using Bayesian Binning", AAAI 2015.
"""

from typing import NamedTuple, TypedDict

import numpy as np

from custom_datasets.evaluation.classification import share_estimate
from custom_datasets.evaluation.intervals import Estimate, Interval, bootstrap
from custom_datasets.evaluation.results import (
    ClassificationResults,
    Flags,
    Floats,
    Integers,
)

BINS = 15
"""Bins of equal width over the confidence, as many as Guo et al. take."""

LOWEST = float(np.finfo(np.float32).tiny)
"""A probability of 0 counts as this, the smallest normal number of a network's
output (float32); its logarithm is -87.3."""

TEMPERATURES = 0.05, 20.0
"""A temperature is looked for between these."""

_STEPS = 40  # Halvings of the interval: 1e-12 of it is left.

_CHANCE = 95
"""Percentile of the errors by chance up to which an error may be chance."""


class Bin(TypedDict):
    """A bin of the reliability curve; ``confidence`` is the mean of its images."""

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: Interval


class Chance(TypedDict):
    """The calibration error by chance alone: its mean and its 95th percentile."""

    mean: float
    high: float


class CalibrationMeasures(TypedDict):
    """Mean confidence, expected calibration error and mean negative log likelihood."""

    confidence: float
    ece: Interval
    chance: Chance
    nll: Interval
    curve: list[Bin]


class Temperature(TypedDict):
    """The temperature, if one is fitted, and how much it changes the ``nll``."""

    value: float | None
    note: str
    change: Interval | None


class Calibration(TypedDict):
    """Calibration before and after; ``zeros`` counts true classes of probability 0."""

    bins: int
    lowest: float
    zeros: int
    temperature: Temperature
    before: CalibrationMeasures
    after: CalibrationMeasures | None


class Reliability(NamedTuple):
    """Images, mean confidence and accuracy, each (bins,); NaN where a bin is empty."""

    images: Floats
    confidence: Floats
    accuracy: Floats


def calibration(
    test: ClassificationResults,
    val: ClassificationResults | None,
    resamples: int,
    seed: int,
) -> Calibration:
    """Compare confidence with accuracy, before and after a temperature.

    The temperature is fitted on the validation set; without one there is none.
    """
    temperature, note = _fit(val)
    logs = log_probabilities(test.scores)
    before = _measure(test.scores, logs, test.truth, resamples, seed)
    after = change = None
    if temperature is not None:
        scaled = with_temperature(logs, temperature)
        after = _measure(np.exp(scaled), scaled, test.truth, resamples, seed)
        difference = true_class_loss(scaled, test.truth) - true_class_loss(
            logs, test.truth
        )
        change = _mean(difference, resamples, seed).as_json()
    likely = np.take_along_axis(test.scores, test.truth[:, None], axis=1)
    return {
        'bins': BINS,
        'lowest': LOWEST,
        'zeros': int((likely < LOWEST).sum()),
        'temperature': {'value': temperature, 'note': note, 'change': change},
        'before': before,
        'after': after,
    }


def reliability(confidence: Floats, correct: Flags, weights: Floats) -> Reliability:
    """Compare confidence with accuracy in bins from (0, 1/15] to (14/15, 1]."""
    bins = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
    images = np.bincount(bins, weights, BINS).astype(np.float64)
    sure = np.bincount(bins, weights * confidence, BINS)
    right = np.bincount(bins, weights * correct, BINS)
    with np.errstate(invalid='ignore'):
        return Reliability(images, sure / images, right / images)


def calibration_error(curve: Reliability) -> float:
    """Return the distance of accuracy from confidence, averaged over images, 0 to 1."""
    filled = curve.images > 0
    gaps = abs(curve.accuracy - curve.confidence)[filled]
    return float((gaps * curve.images[filled]).sum() / curve.images.sum())


def without_bias(percentiles: Estimate, chance: float) -> Estimate:
    """Turn the percentile interval of a calibration error into one that holds it.

    Chance alone opens gaps in the bins, and a resample has them twice: its
    error is too large, so the percentiles often lie above what is estimated.
    The basic interval (A. C. Davison and D. V. Hinkley, "Bootstrap Methods and
    their Application", 1997, equation 5.6) takes off as much as resampling adds;
    it can lie below the error counted on few images. It begins at 0 where the
    error is within ``chance``, the largest that :func:`chance_errors` explain.
    """
    value, low, high = percentiles
    least = 0.0 if value <= chance else max(2 * value - high, 0.0)
    return Estimate(value, least, max(2 * value - low, 0.0))


def chance_errors(confidence: Floats, count: int, seed: int) -> Floats:
    """Return calibration errors that chance alone gives, of shape (count,).

    The classifier is right with exactly the probability that it says (consistency
    resampling, J. Bröcker and L. A. Smith, "Increasing the Reliability of
    Reliability Diagrams", Weather and Forecasting 22, 2007).
    """
    rng = np.random.default_rng(seed)
    even = np.ones(len(confidence))
    return np.array(
        [
            calibration_error(
                reliability(confidence, rng.random(len(confidence)) < confidence, even)
            )
            for _ in range(count)
        ]
    )


def log_probabilities(scores: Floats) -> Floats:
    """Return logarithms of probabilities, of any shape, at least ``LOWEST``."""
    logs: Floats = np.log(np.maximum(scores, LOWEST))
    return logs


def with_temperature(logs: Floats, temperature: float) -> Floats:
    """Divide logits by a temperature: above 1 a classifier becomes less sure.

    ``logs``, shape (images, classes), are log probabilities; so is what is returned.
    They are logits less a constant for each image, which the softmax does not see;
    so where no probability is 0 this is exact.
    """
    scaled = logs / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    normalised: Floats = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return normalised


def true_class_loss(logs: Floats, truth: Integers) -> Floats:
    """Return the negative log likelihood of each image, shape (images,)."""
    return -np.take_along_axis(logs, truth[:, None], axis=1)[:, 0]


def fit_temperature(logs: Floats, truth: Integers) -> float | None:
    """Find the temperature of the lowest mean negative log likelihood.

    It is None where it is not between ``TEMPERATURES``: where all images are right,
    the likelihood only grows as it falls. The likelihood is concave in
    1 / temperature, so its slope changes sign once; the interval around that is
    halved, on a logarithmic scale.
    """
    low, high = TEMPERATURES
    if _slope(logs, truth, low) <= 0 or _slope(logs, truth, high) >= 0:
        return None
    for _ in range(_STEPS):
        middle = (low * high) ** 0.5
        if _slope(logs, truth, middle) > 0:
            low = middle
        else:
            high = middle
    return float((low * high) ** 0.5)


def _slope(logs: Floats, truth: Integers, temperature: float) -> float:
    """Return the derivative of the mean loss by 1 / temperature."""
    scaled = np.exp(with_temperature(logs, temperature))
    expected = (scaled * logs).sum(axis=1)
    return float((expected + true_class_loss(logs, truth)).mean())


def _fit(val: ClassificationResults | None) -> tuple[float | None, str]:
    if val is None:
        return None, (
            'No temperature is fitted: that takes predictions on the validation set.'
        )
    count = len(val.images)
    temperature = fit_temperature(log_probabilities(val.scores), val.truth)
    if temperature is None:
        return None, (
            f'No temperature is fitted: on the {count:,} validation images no '
            'temperature has the highest likelihood, as where there are no mistakes.'
        )
    return temperature, f'Fitted on {count:,} validation images.'


def _measure(
    scores: Floats, logs: Floats, truth: Integers, resamples: int, seed: int
) -> CalibrationMeasures:
    confidence: Floats = scores.max(axis=1)
    correct: Flags = scores.argmax(axis=1) == truth

    def metric(weights: Floats) -> Floats:
        curve = reliability(confidence, correct, weights)
        return np.append(calibration_error(curve), curve.accuracy)

    error, *accuracy = bootstrap(metric, len(truth), resamples, seed)
    chance = chance_errors(confidence, resamples, seed)
    by_chance = float(np.percentile(chance, _CHANCE))
    curve = reliability(confidence, correct, np.ones(len(truth)))
    return {
        'confidence': round(float(confidence.mean()), 6),
        'ece': without_bias(error, by_chance).as_json(),
        'chance': {
            'mean': round(float(chance.mean()), 6),
            'high': round(by_chance, 6),
        },
        'nll': _mean(true_class_loss(logs, truth), resamples, seed).as_json(),
        'curve': _bins(curve, accuracy),
    }


def _mean(values: Floats, resamples: int, seed: int) -> Estimate:
    def metric(weights: Floats) -> Floats:
        return np.array([(weights * values).sum() / weights.sum()])

    return bootstrap(metric, len(values), resamples, seed)[0]


def _bins(curve: Reliability, accuracy: list[Estimate]) -> list[Bin]:
    return [
        {
            'low': round(index / BINS, 6),
            'high': round((index + 1) / BINS, 6),
            'images': int(images),
            'confidence': round(float(curve.confidence[index]), 6) if images else None,
            'accuracy': share_estimate(accuracy[index], int(images)).as_json(),
        }
        for index, images in enumerate(curve.images)
    ]
