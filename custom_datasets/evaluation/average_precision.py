"""Average precision of detection, as Pascal VOC and as COCO define it."""

import numpy as np
from numpy.typing import NDArray

from custom_datasets.evaluation.coco_matching import (
    IOUS,
    RANGES,
    CocoMatching,
    match_coco,
)
from custom_datasets.evaluation.matching import Matching, match_classwise
from custom_datasets.evaluation.overlaps import Overlaps, find_overlaps
from custom_datasets.evaluation.precision_table import PrecisionTable, Ranking
from custom_datasets.evaluation.results import DetectionResults, Floats, Integers

COCO_METRICS = ('AP', 'AP50', 'AP75', 'small', 'medium', 'large')


class APTables:
    """Average precision of a test set whose images count as often as is said.

    Args:
        results: Truth and predictions.
        classwise: How area-AP50 matches them.
        coco: How COCO does, for each range of size.
    """

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
            PrecisionTable(_classwise(results, classwise, one, number))
            for number, one in enumerate(orders)
        ]
        self._coco = [
            PrecisionTable(_coco(results, coco[name], one, number))
            for name in RANGES
            for number, one in enumerate(orders)
        ]

    def ap50(self, weights: Floats) -> Floats:
        """Return area-AP50, as mmdet's ``eval_map`` computes it.

        Args:
            weights: Shape (images,), how often each counts; whole numbers.

        Returns:
            Shape (1 + classes,): the mean over the classes that have objects,
            then each class; NaN where there is none.
        """
        whole = np.asarray(weights).astype(np.intp)
        values = np.concatenate([table.area(whole) for table in self._area])
        return np.append(mean_known(values), values)

    def coco_grid(self, weights: Floats) -> Floats:
        """Return COCO's average precision at each IoU and for each range of size.

        Args:
            weights: Shape (images,), how often each counts; whole numbers.

        Returns:
            Shape (ranges, classes, IoUs), in the order of ``RANGES`` and
            ``IOUS``; NaN where a class has no object of that size.
        """
        whole = np.asarray(weights).astype(np.intp)
        grid = np.array([table.interpolated(whole) for table in self._coco])
        return grid.reshape(len(RANGES), -1, len(IOUS))

    def coco_ap(self, weights: Floats) -> Floats:
        """Return what mmdet's ``CocoMetric`` reports.

        Args:
            weights: Shape (images,), how often each counts; whole numbers.

        Returns:
            Shape (6 + classes,): ``COCO_METRICS``, then the AP of each class;
            NaN where there is no object.
        """
        grid = self.coco_grid(weights)
        return np.concatenate([coco_summary(grid), grid[0].mean(axis=1)])


def ap_tables(results: DetectionResults, overlaps: Overlaps | None = None) -> APTables:
    """Match and sort once, for any weights of the images.

    Predictions of one score rank as their images do in the results.

    Args:
        results: Truth and predictions.
        overlaps: :func:`find_overlaps` of them, where it is there already.
    """
    pairs = overlaps or find_overlaps(results)
    return APTables(
        results, match_classwise(results, pairs), match_coco(results, pairs)
    )


def coco_summary(grid: Floats) -> Floats:
    """Return ``COCO_METRICS``, of shape (6,), from :meth:`APTables.coco_grid`."""
    whole = grid[0]
    at = [whole, whole[:, [0]], whole[:, [5]], *grid[1:]]
    return np.array([mean_known(values) for values in at])


def mean_known(values: Floats) -> float:
    """Return the mean of those that are not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _classwise(
    results: DetectionResults, matching: Matching, order: Integers, number: int
) -> Ranking:
    truth = results.truth
    found = matching.found[order]
    rows = np.flatnonzero(found)
    return Ranking(
        image=results.predicted.image[order],
        counts=~matching.ignored[order],
        rows=rows,
        found=found[rows, None],
        ignored=np.zeros((len(rows), 1), dtype=bool),
        positive=truth.image[(truth.label == number) & ~truth.ignore],
    )


def _coco(
    results: DetectionResults, matching: CocoMatching, order: Integers, number: int
) -> Ranking:
    truth = results.truth
    candidate: NDArray[np.intp] = np.full(len(results.predicted.score), -1)
    candidate[matching.rows] = np.arange(len(matching.rows))
    rows = np.flatnonzero(candidate[order] >= 0)
    chosen = candidate[order][rows]
    return Ranking(
        image=results.predicted.image[order],
        counts=matching.inside[order],
        rows=rows,
        found=matching.found[chosen],
        ignored=matching.ignored[chosen],
        positive=truth.image[(truth.label == number) & matching.positive],
    )
