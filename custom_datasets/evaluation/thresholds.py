"""The score to deploy: which predictions to believe."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from custom_datasets.evaluation.coco_matching import RANGES
from custom_datasets.evaluation.curves import Ranked, ranked
from custom_datasets.evaluation.matching import Matching
from custom_datasets.evaluation.overlaps import areas
from custom_datasets.evaluation.results import DetectionResults, Floats, Integers

RULE = (
    'The threshold with the highest F1 at IoU 0.5. F1 stays the same between two '
    'scores that follow each other: it is the middle of that range, rounded; of '
    'ranges that are equally good the widest, then the highest. Overall, the boxes '
    'of all classes are counted together.'
)
DEFAULT = 0.5
"""Where there is nothing to choose a threshold on."""

SIZES = tuple(name for name in RANGES if name != 'all')


class Choice(NamedTuple):
    """A threshold, and the F1 that it was chosen for; NaN where it was not."""

    threshold: float
    f1: float


@dataclass(frozen=True, slots=True)
class Choices:
    """The thresholds to deploy.

    Attributes:
        overall: One for all classes.
        per_class: One for each.
    """

    overall: Choice
    per_class: tuple[Choice, ...]

    @property
    def chosen(self) -> bool:
        """Whether there was something to choose on."""
        return not np.isnan(self.overall.f1)

    @property
    def of_classes(self) -> Floats:
        """Shape (classes,), the threshold of each."""
        return np.array([one.threshold for one in self.per_class])


def choose(results: DetectionResults, matching: Matching) -> Choices:
    """Choose the thresholds on a set, the validation set say.

    A class in which nothing is found gets the overall threshold.
    """
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
    """Count what is right, what is wrong and what is there.

    Args:
        results: Truth and predictions.
        matching: Of each class by itself.
        thresholds: Shape (classes,), the lowest score that is kept.

    Returns:
        Shape (images, 3, classes): found, false, objects.
    """
    truth, predicted = results.truth, results.predicted
    kept = predicted.score >= thresholds[predicted.label]
    false = kept & ~matching.found & ~matching.ignored
    shape = len(results.images), len(results.classes)
    counts = [
        _table(predicted.image[chosen], predicted.label[chosen], shape)
        for chosen in (kept & matching.found, false)
    ]
    there = ~truth.ignore
    counts.append(_table(truth.image[there], truth.label[there], shape))
    return np.stack(counts, axis=1)


def count_sizes(
    results: DetectionResults, matching: Matching, threshold: float
) -> Integers:
    """Count what is found of what is there, for each range of size.

    Returns:
        Shape (images, 2, sizes, classes): found, objects, in the order of ``SIZES``.
    """
    truth = results.truth
    found = np.zeros(len(truth.image), dtype=bool)
    kept = matching.found & (results.predicted.score >= threshold)
    found[matching.truth[kept]] = True
    area, shape = areas(truth.box), (len(results.images), len(results.classes))
    tables = []
    for name in SIZES:
        low, high = RANGES[name]
        there = ~truth.ignore & (area >= low) & (area <= high)
        for chosen in (there & found, there):
            tables.append(_table(truth.image[chosen], truth.label[chosen], shape))
    stacked = np.stack(tables, axis=1).reshape(shape[0], len(SIZES), 2, shape[1])
    return stacked.swapaxes(1, 2)


def _table(image: Integers, label: Integers, shape: tuple[int, int]) -> Integers:
    cells = np.bincount(image * shape[1] + label, minlength=shape[0] * shape[1])
    return cells.reshape(shape)


def _middle(below: float, above: float) -> float:
    """Return the shortest decimal near the middle that is above one, up to the other.

    Six digits at most, so that a file of rounded numbers holds it as it is used.
    """
    for digits in range(2, 7):
        value = round((below + above) / 2, digits)
        if below < value <= above:
            return value
    return above
