"""Whether a classifier is as often right as it says, and a temperature to mend it.

The reliability curve, the expected calibration error and temperature scaling
are those of C. Guo et al., "On Calibration of Modern Neural Networks", ICML
2017; the error goes back to M. P. Naeini et al., "Obtaining Well Calibrated
Probabilities Using Bayesian Binning", AAAI 2015.
"""

from typing import NamedTuple

import numpy as np

from custom_datasets.evaluation.bootstrap import Estimate
from custom_datasets.evaluation.results import Flags, Floats, Integers

BINS = 15
"""Bins of equal width over the confidence, as many as Guo et al. take."""

LOWEST = float(np.finfo(np.float32).tiny)
"""A probability of 0 counts as this, the smallest normal number of a network's
output (float32); its logarithm is -87.3."""

TEMPERATURES = 0.05, 20.0
"""Between these a temperature is looked for."""

_STEPS = 40  # Halvings of the interval: 1e-12 of it is left.


class Reliability(NamedTuple):
    """How sure a classifier is and how often it is right, by confidence.

    Attributes:
        images: Shape (bins,), how many images each bin has.
        confidence: Shape (bins,), their mean confidence; NaN in an empty bin.
        accuracy: Shape (bins,), the share that is right; NaN in an empty bin.
    """

    images: Floats
    confidence: Floats
    accuracy: Floats


def bin_of(confidence: Floats) -> Integers:
    """Return the bin of each confidence: bin 0 is (0, 1/15], bin 14 (14/15, 1]."""
    return np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)


def reliability(confidence: Floats, correct: Flags, weights: Floats) -> Reliability:
    """Compare confidence with accuracy in each bin.

    Args:
        confidence: Shape (images,), 0 to 1.
        correct: Shape (images,), whether each decision is right.
        weights: Shape (images,), how often each counts.
    """
    bins = bin_of(confidence)
    images = np.bincount(bins, weights, BINS).astype(np.float64)
    sure = np.bincount(bins, weights * confidence, BINS)
    right = np.bincount(bins, weights * correct, BINS)
    with np.errstate(invalid='ignore'):
        return Reliability(images, sure / images, right / images)


def calibration_error(curve: Reliability) -> float:
    """Return the expected calibration error, 0 to 1.

    The distance of accuracy from confidence, averaged over the images.
    """
    filled = curve.images > 0
    gaps = abs(curve.accuracy - curve.confidence)[filled]
    return float((gaps * curve.images[filled]).sum() / curve.images.sum())


def without_bias(percentiles: Estimate, chance: float) -> Estimate:
    """Turn the percentile interval of a calibration error into one that holds it.

    Chance alone opens gaps in the bins, and a resample has them twice: its
    error is too large, so the percentiles often lie above what is estimated.
    The basic interval (A. C. Davison and D. V. Hinkley, "Bootstrap Methods and
    their Application", 1997, equation 5.6) takes off as much as resampling
    adds; it can lie below the error counted on few images. It begins at 0
    where the error may be nothing but chance.

    Args:
        percentiles: Value, and percentiles of the resamples.
        chance: The largest error that chance explains, see
            :func:`chance_errors`.
    """
    value, low, high = percentiles
    least = 0.0 if value <= chance else max(2 * value - high, 0.0)
    return Estimate(value, least, max(2 * value - low, 0.0))


def chance_errors(confidence: Floats, count: int, seed: int) -> Floats:
    """Return calibration errors of a classifier that is calibrated.

    It is right with just the probability that it says (consistency resampling,
    J. Bröcker and L. A. Smith, "Increasing the Reliability of Reliability
    Diagrams", Weather and Forecasting 22, 2007).

    Args:
        confidence: Shape (images,), of the classifier in question.
        count: How often to draw who is right.
        seed: The same seed draws the same.

    Returns:
        Shape (count,): how large an error so many images show by chance.
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
    """Divide logits by a temperature.

    Log probabilities are logits less a constant for each image, which the
    softmax does not see; so where no probability is 0 this is exact.

    Args:
        logs: Shape (images, classes), log probabilities.
        temperature: Above 1 makes the classifier less sure, below 1 surer.

    Returns:
        Shape (images, classes), log probabilities.
    """
    scaled = logs / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    normalised: Floats = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return normalised


def true_class_loss(logs: Floats, truth: Integers) -> Floats:
    """Return the negative log likelihood of each image, shape (images,).

    Args:
        logs: Shape (images, classes), log probabilities.
        truth: Shape (images,), index into the classes.
    """
    return -np.take_along_axis(logs, truth[:, None], axis=1)[:, 0]


def fit_temperature(logs: Floats, truth: Integers) -> float | None:
    """Find the temperature of the lowest mean negative log likelihood.

    The likelihood is concave in 1 / temperature, so its slope changes sign
    once, which is looked for by halving the interval (on a logarithmic scale).

    Args:
        logs: Shape (images, classes), log probabilities.
        truth: Shape (images,), index into the classes.

    Returns:
        The temperature, or None where it is not between ``TEMPERATURES``: all
        images are right, say, and the likelihood only grows as it falls.
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
