"""From which confidence on a classifier should answer, to be right often enough."""

from functools import partial
from typing import Literal, TypedDict

import numpy as np

from custom_datasets.evaluation.classification import Decisions, share_estimate
from custom_datasets.evaluation.intervals import Interval, bootstrap
from custom_datasets.evaluation.results import Flags, Floats

GOALS = 0.9, 0.95, 0.98, 0.99, 1.0
"""Accuracies of the answers for which a threshold is looked for."""

_STEPS = 100


class _Goal(TypedDict):
    goal: float
    threshold: float | None


class Goal(_Goal, total=False):
    """An accuracy, the threshold that reaches it, and what it gives on the test set."""

    images: int
    coverage: Interval
    accuracy: Interval


class CoveragePoint(TypedDict):
    """The share of images answered from a threshold on, and that of right answers."""

    threshold: float
    coverage: float
    accuracy: float


class AnswerThresholds(TypedDict):
    """Thresholds chosen on validation (none without it), and the test set's curve."""

    chosen_on: Literal['validation'] | None
    goals: list[Goal]
    curve: list[CoveragePoint]


def answer_thresholds(
    test: Decisions, val: Decisions | None, resamples: int, seed: int
) -> AnswerThresholds:
    """Choose thresholds on the validation set and measure them on the test set."""
    return {
        'chosen_on': 'validation' if val else None,
        'goals': [_goal(goal, test, val, resamples, seed) for goal in GOALS]
        if val
        else [],
        'curve': coverage_curve(test.confidence, test.correct),
    }


def lowest_threshold(confidence: Floats, correct: Flags, goal: float) -> float | None:
    """Find the threshold that answers most images and reaches an accuracy.

    It is 0 where all can be answered, else midway between two confidences, and None
    where no threshold reaches the goal.
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
    """Return coverage and accuracy from a threshold on; NaN if nothing is answered."""
    sure = weights * (confidence >= threshold)
    total = sure.sum()
    accuracy = (sure * correct).sum() / total if total else np.nan
    return np.array([total / weights.sum(), accuracy])


def coverage_curve(confidence: Floats, correct: Flags) -> list[CoveragePoint]:
    """Return the accuracy as fewer images are answered, at up to 101 points."""
    ranked = -np.sort(-confidence)
    ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))
    shown = np.unique(np.linspace(0, len(ends) - 1, _STEPS + 1).round().astype(int))
    even = np.ones(len(confidence))
    points: list[CoveragePoint] = []
    for end in ends[shown]:
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


def _goal(
    goal: float, test: Decisions, val: Decisions, resamples: int, seed: int
) -> Goal:
    threshold = lowest_threshold(val.confidence, val.correct, goal)
    if threshold is None:
        return {'goal': goal, 'threshold': None}
    metric = partial(answered, test.confidence, test.correct, threshold)
    coverage, accuracy = bootstrap(metric, len(test.confidence), resamples, seed)
    images = int((test.confidence >= threshold).sum())
    # At a threshold of 0 all images are answered, in every resample.
    if threshold:
        coverage = share_estimate(coverage, len(test.confidence))
    return {
        'goal': goal,
        'threshold': threshold,
        'images': images,
        'coverage': coverage.as_json(),
        'accuracy': share_estimate(accuracy, images).as_json(),
    }
