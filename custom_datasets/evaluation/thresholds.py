"""The score to deploy: which predictions to believe."""

from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np

from custom_datasets.evaluation.matching import IOU, RANGES, Matching, of_size
from custom_datasets.evaluation.results import DetectionResults, Flags, Floats, Integers

RULE = (
    'The threshold with the highest F1 at IoU 0.5. F1 does not change between two '
    'consecutive scores: the middle of that range is taken, rounded; of several '
    'equally good ranges, the widest, then the highest. Overall, the boxes of all '
    'classes are counted together.'
)

DEFAULT = 0.5
"""Where there is nothing to choose a threshold on."""

THRESHOLDS = np.linspace(0, 0.995, 200)
"""Scores at which the curves are drawn."""

POINTS = 200
"""Most points of a precision-recall curve."""

SIZES = tuple(name for name in RANGES if name != 'all')


class PrecisionRecall(TypedDict):
    """The interpolated curve at up to ``POINTS`` true positives; its area is the AP."""

    recall: list[float]
    precision: list[float]
    score: list[float]


class Curve(TypedDict):
    """Rates of what is kept from each threshold on; None where they are not defined."""

    f1: list[float | None]
    precision: list[float | None]
    recall: list[float | None]


class ClassCurve(Curve):
    """The curves of one class."""

    pr: PrecisionRecall


class Curves(TypedDict):
    """The curves of all classes together and of each, along ``thresholds``."""

    iou: float
    thresholds: list[float]
    overall: Curve
    per_class: list[ClassCurve]


class Rates(NamedTuple):
    """Shares, NaN where they are shares of nothing."""

    precision: Floats
    recall: Floats
    f1: Floats


@dataclass(frozen=True, slots=True)
class Ranked:
    """Predictions that count, by descending score, and the number of objects."""

    score: Floats
    found: Flags
    objects: int


class Choice(NamedTuple):
    """A threshold, and the F1 that it was chosen for; NaN where it was not."""

    threshold: float
    f1: float


@dataclass(frozen=True, slots=True)
class Choices:
    """The thresholds to deploy: one for all classes, and one for each."""

    overall: Choice
    per_class: tuple[Choice, ...]

    @property
    def chosen(self) -> bool:
        """Whether there was something to choose on."""
        return not np.isnan(self.overall.f1)

    @property
    def of_classes(self) -> Floats:
        """Shape (classes,), the threshold of each."""
        return np.array([choice.threshold for choice in self.per_class])


def ranked(
    results: DetectionResults, matching: Matching, label: int | None = None
) -> Ranked:
    """Rank the predictions of a class; of all classes without one."""
    truth, predicted = results.truth, results.predicted
    counts, objects = ~matching.ignored, ~truth.ignore
    if label is not None:
        counts &= predicted.label == label
        objects &= truth.label == label
    score, found = predicted.score[counts], matching.found[counts]
    order = np.argsort(-score, kind='stable')
    return Ranked(score[order], found[order], int(objects.sum()))


def rates(found: Floats, false: Floats, objects: Floats) -> Rates:
    """Return precision, recall and F1 of counts, all of one shape."""
    predicted = found + false
    return Rates(
        _share(found, predicted),
        _share(found, objects),
        _share(2 * found, predicted + objects),
    )


def area_under(ranking: Ranked) -> float:
    """Return the average precision: the area under the interpolated curve."""
    return float(_interpolated(ranking)[1].sum() / ranking.objects)


def curves(results: DetectionResults, matching: Matching) -> Curves:
    """Return the curves of all classes together and of each."""
    per_class = [
        ranked(results, matching, label) for label in range(len(results.classes))
    ]
    return {
        'iou': IOU,
        'thresholds': THRESHOLDS.tolist(),
        'overall': _curve(ranked(results, matching)),
        'per_class': [
            {**_curve(ranking), 'pr': _precision_recall(ranking)}
            for ranking in per_class
        ],
    }


def choose(results: DetectionResults, matching: Matching) -> Choices:
    """Choose the thresholds; a class in which nothing is found gets the overall one."""
    overall = best_threshold(ranked(results, matching)) or Choice(DEFAULT, np.nan)
    fallback = Choice(overall.threshold, np.nan)
    return Choices(
        overall,
        tuple(
            best_threshold(ranked(results, matching, label)) or fallback
            for label in range(len(results.classes))
        ),
    )


def best_threshold(ranking: Ranked) -> Choice | None:
    """Find the threshold by ``RULE``; None where nothing is found."""
    if not ranking.found.any():
        return None
    # Predictions of one score are kept or dropped together.
    last = np.flatnonzero(np.append(np.diff(ranking.score) != 0, True))
    high = ranking.score[last]
    low = np.append(high[1:], 0.0)
    found = np.cumsum(ranking.found)[last]
    f1 = 2 * found / (last + 1 + ranking.objects)
    edges = np.flatnonzero(np.diff(np.pad(f1 == f1.max(), 1).astype(int)))
    starts, ends = edges[::2], edges[1::2] - 1
    widest = int(np.argmax(high[starts] - low[ends]))
    below, above = float(low[ends[widest]]), float(high[starts[widest]])
    return Choice(_middle(below, above), float(f1.max()))


def count(
    results: DetectionResults, matching: Matching, thresholds: Floats
) -> Integers:
    """Count found, false and objects of each image and class: (images, 3, classes)."""
    truth, predicted = results.truth, results.predicted
    kept = predicted.score >= thresholds[predicted.label]
    right, wrong = matching.found, ~matching.found & ~matching.ignored
    shape = len(results.images), len(results.classes)
    tables = [
        _table(predicted.image[rows], predicted.label[rows], shape)
        for rows in (kept & right, kept & wrong)
    ]
    tables.append(_table(truth.image[~truth.ignore], truth.label[~truth.ignore], shape))
    return np.stack(tables, axis=1)


def count_sizes(
    results: DetectionResults, matching: Matching, threshold: float
) -> Integers:
    """Count found and objects by ``SIZES``: shape (images, 2, sizes, classes)."""
    truth = results.truth
    found = np.zeros(len(truth.image), dtype=bool)
    kept = matching.found & (results.predicted.score >= threshold)
    found[matching.truth[kept]] = True
    shape = len(results.images), len(results.classes)
    tables = []
    for size in SIZES:
        objects = ~truth.ignore & of_size(truth.box, size)
        for rows in (objects & found, objects):
            tables.append(_table(truth.image[rows], truth.label[rows], shape))
    stacked = np.stack(tables, axis=1).reshape(shape[0], len(SIZES), 2, shape[1])
    return stacked.swapaxes(1, 2)


def _curve(ranking: Ranked) -> Curve:
    kept = np.searchsorted(-ranking.score, -THRESHOLDS, side='right')
    found = np.append(0, np.cumsum(ranking.found))[kept].astype(float)
    values = rates(found, kept - found, np.full(len(kept), float(ranking.objects)))
    return {
        'f1': values.f1.tolist(),
        'precision': values.precision.tolist(),
        'recall': values.recall.tolist(),
    }


def _precision_recall(ranking: Ranked) -> PrecisionRecall:
    recall, precision = _interpolated(ranking)
    steps = np.unique(np.linspace(0, len(recall) - 1, POINTS).round().astype(int))
    steps = steps[: len(recall)]
    return {
        'recall': recall[steps].tolist(),
        'precision': precision[steps].tolist(),
        'score': ranking.score[ranking.found][steps].tolist(),
    }


def _interpolated(ranking: Ranked) -> tuple[Floats, Floats]:
    """Return recall and the best precision from there on, at each true positive."""
    places = np.flatnonzero(ranking.found)
    found = np.arange(1, len(places) + 1)
    best = np.maximum.accumulate((found / (places + 1))[::-1])[::-1]
    return found / max(ranking.objects, 1), best


def _share(part: Floats, whole: Floats) -> Floats:
    unknown = np.full(np.shape(whole), np.nan)
    return np.asarray(np.divide(part, whole, out=unknown, where=whole > 0))


def _table(image: Integers, label: Integers, shape: tuple[int, int]) -> Integers:
    cells = np.bincount(image * shape[1] + label, minlength=shape[0] * shape[1])
    return cells.reshape(shape)


def _middle(below: float, above: float) -> float:
    """Return the shortest decimal near the middle of a range open below.

    Six digits at most, so that a file of rounded numbers holds it as it is used.
    """
    for digits in range(2, 7):
        value = round((below + above) / 2, digits)
        if below < value <= above:
            return value
    return above
