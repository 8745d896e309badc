"""The part of a classifier's report on how far to trust its confidence."""

from typing import Any

import numpy as np

from custom_datasets.evaluation.bootstrap import Estimate, bootstrap
from custom_datasets.evaluation.calibration import (
    BINS,
    LOWEST,
    Reliability,
    calibration_error,
    chance_errors,
    fit_temperature,
    log_probabilities,
    reliability,
    true_class_loss,
    with_temperature,
    without_bias,
)
from custom_datasets.evaluation.classification import share_estimate
from custom_datasets.evaluation.results import (
    ClassificationResults,
    Flags,
    Floats,
    Integers,
)

_CHANCE = 95
"""Percentile of the errors by chance up to which one may be chance."""


def calibration(
    test: ClassificationResults,
    val: ClassificationResults | None,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Compare confidence with accuracy, before and after a temperature.

    Args:
        test: Where they are compared.
        val: Where the temperature is fitted; without it there is none.
        resamples: How often to resample images.
        seed: The same seed draws the same resamples.

    Returns:
        ``calibration`` of :mod:`custom_datasets.evaluation.classification_report`.
    """
    temperature, note = _fit(val)
    logs = log_probabilities(test.scores)
    before = _measure(test.scores, logs, test.truth, resamples, seed)
    after = change = None
    if temperature is not None:
        scaled = with_temperature(logs, temperature)
        after = _measure(np.exp(scaled), scaled, test.truth, resamples, seed)
        change = _mean(
            true_class_loss(scaled, test.truth) - true_class_loss(logs, test.truth),
            resamples,
            seed,
        )
    likely = np.take_along_axis(test.scores, test.truth[:, None], axis=1)
    return {
        'bins': BINS,
        'lowest': LOWEST,
        'zeros': int((likely < LOWEST).sum()),
        'temperature': {
            'value': temperature,
            'note': note,
            'change': change and change.as_json(),
        },
        'before': before,
        'after': after,
    }


def _fit(val: ClassificationResults | None) -> tuple[float | None, str]:
    """Return the temperature and a sentence on where it comes from."""
    if val is None:
        return None, (
            'No temperature is fitted: that takes predictions on the validation set.'
        )
    count = len(val.images)
    temperature = fit_temperature(log_probabilities(val.scores), val.truth)
    if temperature is None:
        return None, (
            f'No temperature is fitted: on the {count:,} validation images the '
            'likelihood has no best one (where none is a mistake, say).'
        )
    return temperature, f'Fitted on {count:,} validation images.'


def _measure(
    scores: Floats, logs: Floats, truth: Integers, resamples: int, seed: int
) -> dict[str, Any]:
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


def _bins(curve: Reliability, accuracy: list[Estimate]) -> list[dict[str, Any]]:
    return [
        {
            'low': round(index / BINS, 6),
            'high': round((index + 1) / BINS, 6),
            'images': int(curve.images[index]),
            'confidence': round(float(curve.confidence[index]), 6) if count else None,
            'accuracy': share_estimate(accuracy[index], int(count)).as_json(),
        }
        for index, count in enumerate(curve.images)
    ]
