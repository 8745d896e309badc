"""Which prediction finds which annotated box.

Matching is done once and doesn't depend on how often an image is drawn, so
resampling images needs none. Predictions are tried by descending score; those
of one score in the order of the results.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from custom_datasets.evaluation.overlaps import Overlaps
from custom_datasets.evaluation.results import (
    DetectionResults,
    Flags,
    Floats,
    Integers,
)

IOU = 0.5
ROUNDING = 1e-3
"""How far single and double precision may put an IoU apart, with room."""


@dataclass(frozen=True, slots=True)
class Matching:
    """What each prediction is at one IoU.

    Attributes:
        truth: Shape (predictions,), index of the annotated box that it finds;
            -1 for none.
        ignored: Shape (predictions,), whether it counts neither as right nor
            as wrong, since it lies on an ignored box.
    """

    truth: Integers
    ignored: Flags

    @property
    def found(self) -> Flags:
        """Shape (predictions,), whether it is a true positive."""
        return np.asarray(self.truth >= 0)


def match_classwise(results: DetectionResults, overlaps: Overlaps) -> Matching:
    """Match each class by itself at IoU 0.5, as Pascal VOC does.

    Each prediction goes to the box of its class that it overlaps most, and is
    wrong where a more confident one went there before (M. Everingham et al.,
    "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010). This is what
    mmdet's ``eval_map`` computes, in single precision like there.
    """
    truth, predicted = results.truth, results.predicted
    same = predicted.label[overlaps.predicted] == truth.label[overlaps.truth]
    near = overlaps.keep(same & (overlaps.iou >= IOU - ROUNDING))
    exact = _single_iou(predicted.box[near.predicted], truth.box[near.truth])
    near, exact = near.keep(exact >= IOU), exact[exact >= IOU]
    order = np.lexsort((near.truth, truth.ignore[near.truth], -exact, near.predicted))
    rows, first = np.unique(near.predicted[order], return_index=True)
    best = near.truth[order][first]
    ignored = np.zeros(len(predicted.score), dtype=bool)
    ignored[rows] = truth.ignore[best]
    rows, best = rows[~truth.ignore[best]], best[~truth.ignore[best]]
    found, winner = np.unique(best, return_index=True)
    match = np.full(len(predicted.score), -1)
    match[rows[winner]] = found
    return Matching(match, ignored)


def match_any_class(
    results: DetectionResults, overlaps: Overlaps, threshold: float
) -> Matching:
    """Match what is predicted from a score on at IoU 0.5, whatever its class.

    Each prediction takes the free box that it overlaps most, one of its own
    class where two overlap alike.
    """
    truth, predicted = results.truth, results.predicted
    kept = predicted.score[overlaps.predicted] >= threshold
    near = overlaps.keep(kept & (overlaps.iou >= IOU))
    other = predicted.label[near.predicted] != truth.label[near.truth]
    near = near.keep(np.lexsort((near.truth, other, -near.iou, near.predicted)))
    rows, match = match_greedily(
        near, predicted.image, near.iou, np.array([IOU]), truth.ignore, truth.ignore
    )
    found = match[:, 0] >= 0
    rows, best = rows[found], match[found, 0]
    ignored = np.zeros(len(predicted.score), dtype=bool)
    ignored[rows] = truth.ignore[best]
    matched = np.full(len(predicted.score), -1)
    matched[rows] = np.where(truth.ignore[best], -1, best)
    return Matching(matched, ignored)


def match_greedily(
    overlaps: Overlaps,
    group: Integers,
    iou: Floats,
    thresholds: Floats,
    last: Flags,
    shared: Flags,
) -> tuple[Integers, NDArray[np.int32]]:
    """Let each prediction take the first free box that it prefers.

    The first prediction of every group takes its box, then the second of
    every group, and so on: one step for all images.

    Args:
        overlaps: Pairs, those of a prediction together, the preferred first.
        group: Shape (predictions,); predictions of different groups never
            want the same box.
        iou: Shape (pairs,), compared with the thresholds.
        thresholds: Shape (thresholds,); each is matched by itself.
        last: Shape (boxes,), boxes taken only if no other can be.
        shared: Shape (boxes,), boxes that any number of predictions can take.

    Returns:
        The predictions that are in a pair, ascending, and what they take at
        each threshold, of shape (these predictions, thresholds); -1 for none.
    """
    rows, row = np.unique(overlaps.predicted, return_inverse=True)
    rank = count_before(group[rows])[row]
    late = last[overlaps.truth]
    choice = count_before(row * 2 + late)
    order = np.lexsort((choice, late, rank))
    key = np.stack([rank, late, choice])[:, order]
    starts = np.flatnonzero(np.any(np.diff(key, axis=1, prepend=-1), axis=0))
    match = np.full((len(rows), len(thresholds)), -1, dtype=np.int32)
    taken = np.zeros((len(last), len(thresholds)), dtype=bool)
    for step in np.split(order, starts[1:]) if len(order) else ():
        one, box = row[step], overlaps.truth[step]
        before = match[one]
        takes = (iou[step, None] >= thresholds) & (before < 0)
        takes &= ~taken[box] | shared[box, None]
        match[one] = np.where(takes, box[:, None], before)
        taken[box] |= takes
    return rows, match


def count_before(values: Integers) -> Integers:
    """Return how many of the same value stand before each, of shape (values,)."""
    order = np.argsort(values, kind='stable')
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    counts = np.diff(np.append(starts, len(values)))
    before = np.empty(len(values), dtype=np.intp)
    before[order] = np.arange(len(values)) - np.repeat(starts, counts)
    return before


def _single_iou(first: Floats, second: Floats) -> NDArray[np.float32]:
    one, two = first.astype(np.float32), second.astype(np.float32)
    low, high = np.maximum(one[:, :2], two[:, :2]), np.minimum(one[:, 2:], two[:, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[:, 0] * sides[:, 1]
    sizes = [box[:, 2:] - box[:, :2] for box in (one, two)]
    union = sizes[0][:, 0] * sizes[0][:, 1] + sizes[1][:, 0] * sizes[1][:, 1] - shared
    return np.asarray(shared / np.maximum(union, np.float32(1e-6)), dtype=np.float32)
