"""All there is to say about a classifier's predictions, as one JSON-able dictionary.

Shares are 0 to 1, labels are names, and an *estimate* is ``{'value', 'low',
'high'}``: a metric and its 95 % interval from resampling images, None where it
is not defined.

==================  =========================================================
``task``            ``'classification'``
``classes``         names, in order
``images``          how many test images
``validation``      ``{'images'}``, or None without predictions on validation
``interval``        ``{'level', 'resamples', 'seed'}``
``overall``         estimates ``top1``, ``balanced_accuracy``, ``macro_f1``
``per_class``       a list: ``name``, ``images``, ``predicted`` (counts),
                    estimates ``precision``, ``recall``, ``f1``
``confusion``       ``counts`` (rows are true classes, columns predicted ones)
                    and ``frequent``: ``true``, ``predicted``, ``images``,
                    ``share`` of the true class
``calibration``     ``bins``; ``zeros``, images whose true class has
                    probability 0 and counts as ``lowest``; ``before`` and
                    ``after`` (None without a temperature);
                    ``temperature``: ``value`` (or None), ``note``,
                    estimate ``change`` of the likelihood (after - before)
``... before``      ``confidence`` (mean), estimates ``ece`` (expected
                    calibration error) and ``nll`` (negative log likelihood a
                    test image); ``chance``: ``mean`` and ``high`` (95th
                    percentile), the error by chance alone;
                    ``curve``, a list of bins: ``low``, ``high``,
                    ``images``, ``confidence``, estimate ``accuracy``
``thresholds``      ``chosen_on``, ``'validation'`` or None;
                    ``goals``, a list: ``goal``, ``threshold`` (None where
                    none reaches the goal), and on the test set ``images``
                    (answered), estimates ``coverage`` and ``accuracy`` (of
                    the answers); ``curve``, a list:
                    ``threshold``, ``coverage``, ``accuracy`` on the test set
``mistakes``        ``count``, and ``confident``: the images of the surest,
                    these first
``unsure``          images that are right, the least sure first
``typical``         the surest image of each class that is right
image               ``image`` (key), ``path``, ``index`` in the test set,
                    ``true``, ``predicted``, ``confidence``,
                    ``probability`` of the true class
==================  =========================================================
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.calibration import calibration, thresholds
from custom_datasets.evaluation.classification import (
    Decisions,
    class_scores,
    confusion_matrix,
    decide,
    f1_estimate,
    frequent_confusions,
    overall_scores,
    share_estimate,
)
from custom_datasets.evaluation.intervals import LEVEL, RESAMPLES, Estimate, bootstrap
from custom_datasets.evaluation.results import ClassificationResults, Floats, Integers

_MOST_IMAGES = 24
_MOST_CONFUSIONS = 10


def classification_report(
    test: ClassificationResults,
    val: ClassificationResults | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Evaluate a classifier.

    Args:
        test: What it predicts on the test set.
        val: What it predicts on the validation set; there the temperature and
            the thresholds are chosen. Without it there are none.
        resamples: How often to resample images for the intervals.
        seed: The same seed draws the same resamples.

    Returns:
        The layout is at the top of this module.

    Raises:
        UserError: Scores are no probabilities, or the two sets have different
            classes.
    """
    if val is not None and val.classes != test.classes:
        raise UserError(
            f'validation has the classes {", ".join(val.classes)}, but the test set '
            f'has {", ".join(test.classes)}; take the predictions of one model'
        )
    decisions = decide(test)
    chosen_on = None if val is None else decide(val)
    matrix = confusion_matrix(decisions)
    return {
        'task': 'classification',
        'classes': list(test.classes),
        'images': len(test.images),
        'validation': None if val is None else {'images': len(val.images)},
        'interval': {'level': LEVEL, 'resamples': resamples, 'seed': seed},
        'overall': overall_estimates(decisions, resamples, seed),
        'per_class': _per_class(test.classes, decisions, matrix, resamples, seed),
        'confusion': {
            'counts': matrix.tolist(),
            'frequent': frequent_confusions(matrix, test.classes, _MOST_CONFUSIONS),
        },
        'calibration': calibration(test, val, resamples, seed),
        'thresholds': thresholds(decisions, chosen_on, resamples, seed),
        **_notable(test, decisions),
    }


def overall_estimates(
    decisions: Decisions, resamples: int, seed: int
) -> dict[str, Any]:
    """Return the estimates of ``overall``, by name."""
    images = len(decisions.truth)
    metric = partial(overall_scores, decisions)
    top1, balanced, macro_f1 = bootstrap(metric, images, resamples, seed)
    return {
        'top1': share_estimate(top1, images).as_json(),
        'balanced_accuracy': _mean_estimate(balanced).as_json(),
        'macro_f1': _mean_estimate(macro_f1).as_json(),
    }


def _mean_estimate(mean: Estimate) -> Estimate:
    """Leave out the interval where there is no mistake, or nothing else, to resample.

    For a mean over classes there is no exact bound as for a share.
    """
    return Estimate(mean.value, np.nan, np.nan) if mean.value in (0, 1) else mean


def _per_class(
    classes: Sequence[str],
    decisions: Decisions,
    matrix: Integers,
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    def metric(weights: Floats) -> Floats:
        return class_scores(decisions, weights).ravel()

    found = bootstrap(metric, len(decisions.truth), resamples, seed)
    rows = []
    for index, name in enumerate(classes):
        precision, recall, f1 = found[index :: len(classes)]
        images = int(matrix[index].sum())
        predicted = int(matrix[:, index].sum())
        either = images + predicted - int(matrix[index, index])
        rows.append(
            {
                'name': name,
                'images': images,
                'predicted': predicted,
                'precision': share_estimate(precision, predicted).as_json(),
                'recall': share_estimate(recall, images).as_json(),
                'f1': f1_estimate(f1, either).as_json(),
            }
        )
    return rows


def _notable(test: ClassificationResults, decisions: Decisions) -> dict[str, Any]:
    wrong = np.flatnonzero(~decisions.correct)
    right = np.flatnonzero(decisions.correct)
    surest = wrong[np.argsort(-decisions.confidence[wrong], kind='stable')]
    unsure = right[np.argsort(decisions.confidence[right], kind='stable')]
    # The first of each class, counted from the surest.
    _, first = np.unique(decisions.truth[unsure[::-1]], return_index=True)
    typical = unsure[::-1][first[:_MOST_IMAGES]]
    return {
        'mistakes': {
            'count': len(wrong),
            'confident': _images(test, decisions, surest[:_MOST_IMAGES]),
        },
        'unsure': _images(test, decisions, unsure[:_MOST_IMAGES]),
        'typical': _images(test, decisions, typical),
    }


def _images(
    test: ClassificationResults, decisions: Decisions, chosen: Integers
) -> list[dict[str, Any]]:
    return [
        {
            'image': test.images[index].key,
            'path': test.images[index].path,
            'index': int(index),
            'true': test.classes[test.truth[index]],
            'predicted': test.classes[decisions.predicted[index]],
            'confidence': round(float(decisions.confidence[index]), 6),
            'probability': round(float(test.scores[index, test.truth[index]]), 6),
        }
        for index in chosen
    ]
