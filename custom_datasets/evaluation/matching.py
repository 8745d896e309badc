"""Which prediction finds which annotated box.

Matching is done once and doesn't depend on how often an image is drawn, so
resampling images needs none. Predictions are tried by descending score; those
of one score in the order of the results.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from custom_datasets.evaluation.results import DetectionResults, Flags, Floats, Integers

LOWEST = 0.1
"""Pairs that overlap less are not kept: up to here a box is on background."""

CHUNK = 1 << 20
"""Pairs compared at once: tens of megabytes."""


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Pairs of a prediction and an annotated box, of any class, in one image.

    Attributes:
        predicted: Shape (pairs,), index into the predictions, ascending.
        truth: Shape (pairs,), index into the annotated boxes, ascending for
            each prediction.
        iou: Shape (pairs,), intersection over union, at least ``LOWEST``, or
            less where the annotated box is ignored.
        inside: Shape (pairs,), share of the prediction inside the annotated
            box, at least ``LOWEST``.
    """

    predicted: Integers
    truth: Integers
    iou: Floats
    inside: Floats

    def keep(self, chosen: Flags | Integers) -> 'Overlaps':
        """Return some of the pairs, in the order given."""
        return Overlaps(
            self.predicted[chosen],
            self.truth[chosen],
            self.iou[chosen],
            self.inside[chosen],
        )


def find_overlaps(results: DetectionResults) -> Overlaps:
    """Find the pairs that overlap.

    The arithmetic is that of pycocotools (``bbIou`` of its ``maskApi.c``), to
    the order in which sides are added, so that a pair on the edge of a
    threshold falls on the same side.
    """
    truth, predicted = results.truth, results.predicted
    images = np.arange(len(results.images))
    first = np.searchsorted(truth.image, images, side='left')
    count = np.searchsorted(truth.image, images, side='right') - first
    here = count[predicted.image]
    total = np.concatenate([[0], np.cumsum(here)])
    parts = [_pairs(results, np.empty(0, np.intp), np.empty(0, np.intp))]
    start = 0
    while start < len(here):
        stop = int(np.searchsorted(total, total[start] + CHUNK, side='right')) - 1
        stop = max(stop, start + 1)
        rows = np.repeat(np.arange(start, stop), here[start:stop])
        shift = first[predicted.image] - total[:-1]
        columns = np.arange(total[start], total[stop]) + shift[rows]
        parts.append(_pairs(results, rows, columns))
        start = stop
    return Overlaps(
        np.concatenate([part.predicted for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.iou for part in parts]),
        np.concatenate([part.inside for part in parts]),
    )


def areas(box: Floats) -> Floats:
    """Return the areas, of shape (boxes,), in square pixels."""
    size = box[:, 2:] - box[:, :2]
    return np.asarray(size[:, 0] * size[:, 1])


def _pairs(results: DetectionResults, rows: Integers, columns: Integers) -> Overlaps:
    ours, theirs = results.predicted.box, results.truth.box
    spans: list[Floats] = []
    for axis in (0, 1):
        low, other = ours[:, axis], theirs[:, axis]
        end = low + (ours[:, axis + 2] - low)
        other_end = other + (theirs[:, axis + 2] - other)
        span = np.minimum(end[rows], other_end[columns])
        span -= np.maximum(low[rows], other[columns])
        apart = span <= 0
        rows, columns, span = rows[~apart], columns[~apart], span[~apart]
        spans = [one[~apart] for one in spans] + [span]
    shared = spans[0] * spans[1]
    area = areas(ours)[rows]
    iou = shared / (area + areas(theirs)[columns] - shared)
    inside = shared / area
    kept = (iou >= LOWEST) | (results.truth.ignore[columns] & (inside >= LOWEST))
    return Overlaps(rows[kept], columns[kept], iou[kept], inside[kept])


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
