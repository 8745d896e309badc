"""Matching as COCO does it, at ten IoUs and four ranges of size.

What pycocotools' ``COCOeval`` does for boxes (T.-Y. Lin et al., "Microsoft
COCO: Common Objects in Context", ECCV 2014, and cocodataset.org/#detection-eval),
for all images at once. Ignored boxes are its crowds, as in mmdet's
``CocoMetric``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from custom_datasets.evaluation.matching import count_before, match_greedily
from custom_datasets.evaluation.overlaps import Overlaps, areas
from custom_datasets.evaluation.results import (
    DetectionResults,
    Flags,
    Floats,
    Integers,
)

IOUS: Floats = np.linspace(0.5, 0.95, 10).astype(np.float64)
MOST = 100
"""Predictions of a class that count in an image."""

RANGES: dict[str, tuple[float, float]] = {
    'all': (0, 1e10),
    'small': (0, 32**2),
    'medium': (32**2, 96**2),
    'large': (96**2, 1e10),
}
"""Areas in square pixels, both ends included."""


@dataclass(frozen=True, slots=True)
class CocoMatching:
    """What each prediction is, for objects of one range of size.

    Attributes:
        positive: Shape (boxes,), whether an annotated box is to be found.
        inside: Shape (predictions,), whether a prediction that matches nothing
            counts as wrong: its own size is in the range.
        rows: Shape (candidates,), index of the predictions that may match.
        found: Shape (candidates, IoUs), whether it finds a positive box.
        ignored: Shape (candidates, IoUs), whether it takes a box that is none.
    """

    positive: Flags
    inside: Flags
    rows: Integers
    found: NDArray[np.bool_]
    ignored: NDArray[np.bool_]


def counting(results: DetectionResults) -> Flags:
    """Tell which predictions are among the best ``MOST`` of a class and image."""
    predicted = results.predicted
    group = predicted.image * len(results.classes) + predicted.label
    return np.asarray(count_before(group) < MOST)


def match_coco(
    results: DetectionResults, overlaps: Overlaps
) -> dict[str, CocoMatching]:
    """Match for each range of size."""
    truth, predicted = results.truth, results.predicted
    limited = counting(results)
    crowd = truth.ignore[overlaps.truth]
    iou = np.where(crowd, overlaps.inside, overlaps.iou)
    same = predicted.label[overlaps.predicted] == truth.label[overlaps.truth]
    chosen = same & (iou >= IOUS[0]) & limited[overlaps.predicted]
    near, iou = overlaps.keep(chosen), iou[chosen]
    order = np.lexsort((-near.truth, -iou, near.predicted))
    near, iou = near.keep(order), iou[order]
    group = predicted.image * len(results.classes) + predicted.label
    matchings = {}
    for name, (low, high) in RANGES.items():
        positive = ~truth.ignore & _between(areas(truth.box), low, high)
        rows, match = match_greedily(near, group, iou, IOUS, ~positive, truth.ignore)
        hit = match >= 0
        right = hit & positive[match]
        inside = limited & _between(areas(predicted.box), low, high)
        matchings[name] = CocoMatching(positive, inside, rows, right, hit & ~right)
    return matchings


def _between(area: Floats, low: float, high: float) -> Flags:
    return np.asarray((area >= low) & (area <= high))
