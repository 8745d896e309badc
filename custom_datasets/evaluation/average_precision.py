"""Average precision of detection, as Pascal VOC and as COCO define it.

Everything is matched and sorted once, so that resampling only weights the images.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.evaluation.matching import (
    IOUS,
    RANGES,
    CocoMatching,
    Matching,
    find_overlaps,
    match_classwise,
    match_coco,
)
from custom_datasets.evaluation.results import DetectionResults, Flags, Floats, Integers

COCO_METRICS = ('AP', 'AP50', 'AP75', 'small', 'medium', 'large')

_RECALLS = np.linspace(0, 1, 101)
"""Where COCO reads the precision."""


class APTables:
    """Average precision where images count as often as whole-number weights say."""

    def __init__(
        self,
        results: DetectionResults,
        classwise: Matching,
        coco: dict[str, CocoMatching],
    ) -> None:
        """Sort the predictions of each class."""
        order = np.argsort(-results.predicted.score, kind='stable')
        label = results.predicted.label
        orders = [order[label[order] == k] for k in range(len(results.classes))]
        self._area = [
            _PrecisionTable(_rank_classwise(results, classwise, rows, number))
            for number, rows in enumerate(orders)
        ]
        self._coco = [
            _PrecisionTable(_rank_coco(results, coco[size], rows, number))
            for size in RANGES
            for number, rows in enumerate(orders)
        ]

    def ap50(self, weights: Floats) -> Floats:
        """Return area-AP50 as ``eval_map`` does: the mean, then that of each class."""
        whole = np.asarray(weights).astype(np.intp)
        values = np.concatenate([table.area(whole) for table in self._area])
        return np.append(mean_defined(values), values)

    def coco_grid(self, weights: Floats) -> Floats:
        """Return COCO's average precision, NaN where there is no object.

        Its shape is (ranges, classes, IoUs), in the order of ``RANGES`` and ``IOUS``.
        """
        whole = np.asarray(weights).astype(np.intp)
        grid = np.array([table.interpolated(whole) for table in self._coco])
        return grid.reshape(len(RANGES), -1, len(IOUS))

    def coco_ap(self, weights: Floats) -> Floats:
        """Return mmdet's ``CocoMetric``: ``COCO_METRICS``, then each class's AP."""
        grid = self.coco_grid(weights)
        return np.concatenate([coco_summary(grid), grid[0].mean(axis=1)])


def ap_tables(results: DetectionResults) -> APTables:
    """Match and sort; predictions of one score rank as their images do."""
    pairs = find_overlaps(results)
    return APTables(
        results, match_classwise(results, pairs), match_coco(results, pairs)
    )


def coco_summary(grid: Floats) -> Floats:
    """Return ``COCO_METRICS``, of shape (6,), from :meth:`APTables.coco_grid`."""
    whole = grid[0]
    parts = [whole, whole[:, [0]], whole[:, [5]], *grid[1:]]
    return np.array([mean_defined(values) for values in parts])


def mean_defined(values: Floats) -> float:
    """Return the mean of those that are not NaN; NaN if all are."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Predictions of one class, most confident first, against its objects.

    A matching is one way to tell right from wrong, such as one IoU.

    Attributes:
        image: Shape (predictions,).
        counts: Shape (predictions,), whether it counts where it matches nothing.
        rows: Shape (candidates,), predictions that may match, ascending.
        found: Shape (candidates, matchings), whether it is right.
        ignored: Shape (candidates, matchings), whether it doesn't count.
        positive: Shape (objects,), index of the image of each object to find.
    """

    image: Integers
    counts: Flags
    rows: Integers
    found: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    positive: Integers


def _rank_classwise(
    results: DetectionResults, matching: Matching, order: Integers, number: int
) -> _Ranking:
    truth = results.truth
    found = matching.found[order]
    rows = np.flatnonzero(found)
    return _Ranking(
        image=results.predicted.image[order],
        counts=~matching.ignored[order],
        rows=rows,
        found=found[rows, None],
        ignored=np.zeros((len(rows), 1), dtype=bool),
        positive=truth.image[(truth.label == number) & ~truth.ignore],
    )


def _rank_coco(
    results: DetectionResults, matching: CocoMatching, order: Integers, number: int
) -> _Ranking:
    truth = results.truth
    candidate: NDArray[np.intp] = np.full(len(results.predicted.score), -1)
    candidate[matching.rows] = np.arange(len(matching.rows))
    rows = np.flatnonzero(candidate[order] >= 0)
    matched = candidate[order][rows]
    return _Ranking(
        image=results.predicted.image[order],
        counts=matching.inside[order],
        rows=rows,
        found=matching.found[matched],
        ignored=matching.ignored[matched],
        positive=truth.image[(truth.label == number) & matching.positive],
    )


class _Sums(NamedTuple):
    gains: Integers  # Weight of each true positive.
    right: Integers  # Sum of these before each, and at the end.
    precision: Floats  # At each true positive.
    positives: int  # Weight of all objects.


class _PrecisionTable:
    """Average precision of a ranking, in each of its matchings; NaN without objects."""

    def __init__(self, ranking: _Ranking) -> None:
        rows, found, ignored = ranking.rows, ranking.found, ranking.ignored
        matching, hit = np.nonzero(found.T)
        self._ends = np.cumsum(found.sum(axis=0))
        self._sizes = found.sum(axis=0)
        self._positive = ranking.positive
        self._counted = ranking.image[ranking.counts]
        self._hit = ranking.image[rows][hit]
        self._place = np.cumsum(ranking.counts)[rows][hit]
        # Those found that would not count, and those that count but are ignored.
        counts = ranking.counts[rows, None]
        move = (found & ~counts).T.astype(np.intp) - (ignored & counts).T
        moved, mover = np.nonzero(move)
        self._mover, self._sign = ranking.image[rows][mover], move[moved, mover]
        steps = np.cumsum(move.ravel() != 0).reshape(move.shape)
        self._moved = steps[matching, hit]
        moves = np.count_nonzero(move, axis=1)
        self._moved_before = np.cumsum(moves) - moves

    def area(self, weights: Integers) -> Floats:
        """Return the area under each interpolated curve, as Pascal VOC from 2010 on."""
        sums = self._sums(weights)
        if not sums.positives:
            return np.full(len(self._sizes), np.nan)
        total = []
        for end, size in zip(self._ends, self._sizes, strict=True):
            own = slice(end - size, end)
            best = np.maximum.accumulate(sums.precision[own][::-1])[::-1]
            total.append(float(sums.gains[own] @ best))
        return np.array(total) / sums.positives

    def interpolated(self, weights: Integers) -> Floats:
        """Return the mean of the precision at 101 recalls, as COCO has it."""
        sums = self._sums(weights)
        if not sums.positives:
            return np.full(len(self._sizes), np.nan)
        ends = self._ends[:, None]
        # The first true positive that reaches each recall; the end where none does.
        wanted = sums.right[ends - self._sizes[:, None]] + _reaching(sums.positives)
        first = np.searchsorted(sums.right[1:], wanted.ravel()).reshape(wanted.shape)
        first = np.minimum(first, ends)
        precision = np.append(sums.precision, 0.0)
        best = np.maximum.reduceat(precision, first.ravel()).reshape(first.shape)
        best[first == ends] = 0
        return np.asarray(np.maximum.accumulate(best[:, ::-1], axis=1).mean(axis=1))

    def _sums(self, weights: Integers) -> _Sums:
        gains = weights.take(self._hit)
        right = _sums_before(gains)
        count = _sums_before(weights.take(self._counted)).take(self._place)
        if len(self._mover):
            moved = _sums_before(weights.take(self._mover) * self._sign)
            count += moved.take(self._moved)
            count -= np.repeat(moved[self._moved_before], self._sizes)
        np.maximum(count, 1, out=count)
        own = right[1:] - np.repeat(right[self._ends - self._sizes], self._sizes)
        return _Sums(gains, right, own / count, int(weights.take(self._positive).sum()))


def _reaching(positives: int) -> Integers:
    """Return how many of the objects must be found for each recall, at least one.

    The quotients are compared, not the products: rounding is pycocotools'.
    """
    count = np.ceil(_RECALLS * positives) - 1
    for _ in range(2):
        count += count / positives < _RECALLS
    return np.asarray(np.maximum(count, 1), dtype=np.intp)


def _sums_before(values: Integers) -> Integers:
    sums = np.zeros(len(values) + 1, dtype=values.dtype)
    np.cumsum(values, out=sums[1:])
    return sums
