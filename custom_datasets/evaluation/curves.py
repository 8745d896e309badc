"""Precision, recall and F1 along the score, for one class or for all together."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from custom_datasets.evaluation.matching import Matching
from custom_datasets.evaluation.results import DetectionResults, Flags, Floats

THRESHOLDS = np.linspace(0, 0.995, 200)
"""Scores at which the curves are drawn."""

POINTS = 200
"""Most points of a precision-recall curve."""


class Rates(NamedTuple):
    """Shares, NaN where nothing is there to have a share of."""

    precision: Floats
    recall: Floats
    f1: Floats


@dataclass(frozen=True, slots=True)
class Ranked:
    """Predictions that count, most confident first, against their objects.

    Attributes:
        score: Shape (predictions,), descending.
        found: Shape (predictions,), whether each is right.
        objects: How many there are to find.
    """

    score: Floats
    found: Flags
    objects: int


def ranked(
    results: DetectionResults, matching: Matching, label: int | None = None
) -> Ranked:
    """Rank the predictions of a class; of all classes without one."""
    truth, predicted = results.truth, results.predicted
    counts, there = ~matching.ignored, ~truth.ignore
    if label is not None:
        counts &= predicted.label == label
        there &= truth.label == label
    score, found = predicted.score[counts], matching.found[counts]
    order = np.argsort(-score, kind='stable')
    return Ranked(score[order], found[order], int(there.sum()))


def rates(found: Floats, false: Floats, objects: Floats) -> Rates:
    """Return precision, recall and F1 of counts, all of one shape."""
    predicted = found + false
    return Rates(
        _share(found, predicted),
        _share(found, objects),
        _share(2 * found, predicted + objects),
    )


def curve(ranking: Ranked) -> dict[str, list[float]]:
    """Return F1, precision and recall of what scores at least each threshold."""
    kept = np.searchsorted(-ranking.score, -THRESHOLDS, side='right')
    found = np.append(0, np.cumsum(ranking.found))[kept].astype(float)
    objects = np.full(len(kept), float(ranking.objects))
    values = rates(found, kept - found, objects)
    return {
        name: getattr(values, name).tolist() for name in ('f1', 'precision', 'recall')
    }


def precision_recall(ranking: Ranked) -> dict[str, list[float]]:
    """Return the interpolated curve, whose area is area-AP50.

    Returns:
        ``recall``, ``precision`` (the best from that recall on) and ``score``
        at no more than ``POINTS`` of the true positives.
    """
    recall, precision = interpolated(ranking)
    steps = np.unique(np.linspace(0, len(recall) - 1, POINTS).round().astype(int))
    steps = steps[: len(recall)]
    score = ranking.score[ranking.found]
    lists = {'recall': recall, 'precision': precision, 'score': score}
    return {name: values[steps].tolist() for name, values in lists.items()}


def interpolated(ranking: Ranked) -> tuple[Floats, Floats]:
    """Return recall and the best precision from there on, at each true positive."""
    places = np.flatnonzero(ranking.found)
    found = np.arange(1, len(places) + 1)
    best = np.maximum.accumulate((found / (places + 1))[::-1])[::-1]
    return found / max(ranking.objects, 1), best


def area_under(ranking: Ranked) -> float:
    """Return the average precision: the area under :func:`interpolated`."""
    return float(interpolated(ranking)[1].sum() / ranking.objects)


def curves(results: DetectionResults, matching: Matching) -> dict[str, Any]:
    """Return the curves of all classes together and of each."""
    per_class = [
        ranked(results, matching, label) for label in range(len(results.classes))
    ]
    return {
        'thresholds': THRESHOLDS.tolist(),
        'overall': curve(ranked(results, matching)),
        'per_class': [{**curve(one), 'pr': precision_recall(one)} for one in per_class],
    }


def _share(part: Floats, whole: Floats) -> Floats:
    unknown = np.full(np.shape(whole), np.nan)
    return np.asarray(np.divide(part, whole, out=unknown, where=whole > 0))
