"""Answering only above a confidence: how many images, and how many of them right.

Selective classification, as R. El-Yaniv and Y. Wiener, "On the Foundations of
Noise-free Selective Classification", JMLR 11 (2010), have it: coverage is the
share of images that is answered, accuracy the share of the answers that is
right.
"""

from functools import partial
from typing import Any

import numpy as np

from custom_datasets.evaluation.bootstrap import bootstrap
from custom_datasets.evaluation.classification import Decisions, share_estimate
from custom_datasets.evaluation.results import Flags, Floats

GOALS = 0.9, 0.95, 0.98, 0.99, 1.0
"""Accuracies of the answers for which a threshold is looked for."""

_POINTS = 100


def thresholds(
    decisions: Decisions, chosen_on: Decisions | None, resamples: int, seed: int
) -> dict[str, Any]:
    """Choose thresholds on one set and try them on another.

    Args:
        decisions: On the test set.
        chosen_on: On the validation set; None chooses none.
        resamples: How often to resample images.
        seed: The same seed draws the same resamples.

    Returns:
        ``thresholds`` of :mod:`custom_datasets.evaluation.classification_report`.
    """
    confidence, correct = decisions.confidence, decisions.correct
    goals: list[dict[str, Any]] = []
    for goal in GOALS if chosen_on else ():
        assert chosen_on
        threshold = lowest_threshold(chosen_on.confidence, chosen_on.correct, goal)
        row: dict[str, Any] = {'goal': goal, 'threshold': threshold}
        if threshold is not None:
            metric = partial(answered, confidence, correct, threshold)
            both = bootstrap(metric, len(confidence), resamples, seed)
            images = int((confidence >= threshold).sum())
            row['images'] = images
            # Without a threshold all images are answered, in every resample.
            coverage = (
                share_estimate(both[0], len(confidence)) if threshold else both[0]
            )
            row['coverage'] = coverage.as_json()
            row['accuracy'] = share_estimate(both[1], images).as_json()
        goals.append(row)
    return {
        'chosen_on': 'validation' if chosen_on else None,
        'goals': goals,
        'curve': coverage_curve(confidence, correct),
    }


def lowest_threshold(confidence: Floats, correct: Flags, goal: float) -> float | None:
    """Find the confidence from which on the answers are right often enough.

    Args:
        confidence: Shape (images,), 0 to 1.
        correct: Shape (images,), whether each decision is right.
        goal: The accuracy to reach.

    Returns:
        The threshold that answers most images: 0 where all can be answered,
        else midway between two confidences; an image is answered from it on.
        None where none reaches the goal.
    """
    order = np.argsort(-confidence, kind='stable')
    ranked = confidence[order]
    reached = np.cumsum(correct[order]) / np.arange(1, len(order) + 1) >= goal
    # Images of one confidence are answered together.
    last = np.append(ranked[1:] < ranked[:-1], True)
    ends = np.flatnonzero(reached & last)
    if not len(ends):
        return None
    end = int(ends[-1])
    if end == len(order) - 1:
        return 0.0
    middle = float((ranked[end] + ranked[end + 1]) / 2)
    # Between neighbouring numbers there is none, and their mean may be the lower.
    return middle if middle > ranked[end + 1] else float(ranked[end])


def answered(
    confidence: Floats, correct: Flags, threshold: float, weights: Floats
) -> Floats:
    """Return coverage and accuracy at a threshold.

    Args:
        confidence: Shape (images,), 0 to 1.
        correct: Shape (images,), whether each decision is right.
        threshold: Images from this confidence on are answered.
        weights: Shape (images,), how often each counts.

    Returns:
        Shape (2,), 0 to 1; accuracy is NaN where nothing is answered.
    """
    sure = weights * (confidence >= threshold)
    total = sure.sum()
    accuracy = (sure * correct).sum() / total if total else np.nan
    return np.array([total / weights.sum(), accuracy])


def coverage_curve(confidence: Floats, correct: Flags) -> list[dict[str, float]]:
    """Return the accuracy of the answers as fewer and fewer images are answered.

    Returns:
        At most 101 points, from one image to all: ``threshold``, ``coverage``
        and ``accuracy``.
    """
    ranked = -np.sort(-confidence)
    ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))
    chosen = np.unique(np.linspace(0, len(ends) - 1, _POINTS + 1).round().astype(int))
    even = np.ones(len(confidence))
    points = []
    for end in ends[chosen]:
        threshold = float(ranked[end])
        coverage, accuracy = answered(confidence, correct, threshold, even)
        points.append(
            {
                'threshold': threshold,
                'coverage': round(float(coverage), 6),
                'accuracy': round(float(accuracy), 6),
            }
        )
    return points
