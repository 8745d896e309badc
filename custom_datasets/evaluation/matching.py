"""Which prediction finds which annotated box.

Matching doesn't depend on how often an image is drawn, so it is done once.
Predictions are tried by descending score, equal ones in the order of the results.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from custom_datasets.evaluation.results import DetectionResults, Flags, Floats, Integers

IOU = 0.5
"""From this IoU on a prediction finds a box, except at COCO's stricter ones."""

LOWEST_IOU = 0.1
"""Pairs that overlap less are not kept: up to here a box is on background."""

IOUS: Floats = np.linspace(0.5, 0.95, 10).astype(np.float64)
"""COCO's thresholds."""

RANGES: dict[str, tuple[float, float]] = {
    'all': (0, 1e10),
    'small': (0, 32**2),
    'medium': (32**2, 96**2),
    'large': (96**2, 1e10),
}
"""COCO's sizes: areas in square pixels, both ends included."""

MOST = 100
"""Predictions of a class that count in an image for COCO."""

CHUNK = 1 << 20
"""Pairs compared at once: tens of megabytes."""

_ROUNDING = 1e-3
"""How far single and double precision may put an IoU apart, with room."""


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Pairs of a prediction and an annotated box, of any class, in one image.

    ``predicted`` and, for each prediction, ``truth`` are ascending indices. ``iou`` and
    ``inside``, the share of the prediction inside the box, are at least
    ``LOWEST_IOU``; an IoU may be less where the box is ignored. All are (pairs,).
    """

    predicted: Integers
    truth: Integers
    iou: Floats
    inside: Floats

    def keep(self, rows: Flags | Integers) -> 'Overlaps':
        """Return some of the pairs, in this order."""
        return Overlaps(
            self.predicted[rows], self.truth[rows], self.iou[rows], self.inside[rows]
        )


@dataclass(frozen=True, slots=True)
class Matching:
    """What each prediction is at one IoU; both arrays have shape (predictions,).

    ``truth`` is the index of the annotated box that it finds, -1 for none. On an
    ``ignored`` box it is neither right nor wrong.
    """

    truth: Integers
    ignored: Flags

    @property
    def found(self) -> Flags:
        """Shape (predictions,), whether it is a true positive."""
        return np.asarray(self.truth >= 0)


@dataclass(frozen=True, slots=True)
class CocoMatching:
    """What each prediction is at each of ``IOUS``, for objects of one size.

    Attributes:
        positive: Shape (boxes,), whether an annotated box is to be found.
        inside: Shape (predictions,), whether a prediction that matches nothing
            counts as wrong: its own size is in the range.
        rows: Shape (candidates,), index of the predictions that may match.
        found: Shape (candidates, IoUs), whether it finds a positive box.
        ignored: Shape (candidates, IoUs), whether it takes a box that is not one.
    """

    positive: Flags
    inside: Flags
    rows: Integers
    found: NDArray[np.bool_]
    ignored: NDArray[np.bool_]


def find_overlaps(results: DetectionResults) -> Overlaps:
    """Find the pairs that overlap.

    The arithmetic is that of pycocotools (``bbIou`` of its ``maskApi.c``), to
    the order in which sides are added, so that a pair on the edge of a
    threshold falls on the same side. That is why ``data.records.iou`` is not used.
    """
    truth, predicted = results.truth, results.predicted
    images = np.arange(len(results.images))
    first = np.searchsorted(truth.image, images, side='left')
    count = np.searchsorted(truth.image, images, side='right') - first
    partners = count[predicted.image]
    total = np.concatenate([[0], np.cumsum(partners)])
    shift = first[predicted.image] - total[:-1]
    parts = [_pairs(results, np.empty(0, np.intp), np.empty(0, np.intp))]
    start = 0
    while start < len(partners):
        stop = int(np.searchsorted(total, total[start] + CHUNK, side='right')) - 1
        stop = max(stop, start + 1)
        rows = np.repeat(np.arange(start, stop), partners[start:stop])
        columns = np.arange(total[start], total[stop]) + shift[rows]
        parts.append(_pairs(results, rows, columns))
        start = stop
    return Overlaps(
        np.concatenate([part.predicted for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.iou for part in parts]),
        np.concatenate([part.inside for part in parts]),
    )


def match_classwise(results: DetectionResults, overlaps: Overlaps) -> Matching:
    """Match each class by itself at IoU 0.5, as Pascal VOC does.

    Each prediction goes to the box of its class that it overlaps most, and is
    wrong where a more confident one went there before (M. Everingham et al.,
    "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010). This is what
    mmdet's ``eval_map`` computes, in single precision as it does.
    """
    truth, predicted = results.truth, results.predicted
    same = predicted.label[overlaps.predicted] == truth.label[overlaps.truth]
    near = overlaps.keep(same & (overlaps.iou >= IOU - _ROUNDING))
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
    """Match predictions from a score on at IoU 0.5, whatever their class.

    Each takes the free box that it overlaps most; of two alike, that of its class.
    """
    truth, predicted = results.truth, results.predicted
    kept = predicted.score[overlaps.predicted] >= threshold
    near = overlaps.keep(kept & (overlaps.iou >= IOU))
    other = predicted.label[near.predicted] != truth.label[near.truth]
    near = near.keep(np.lexsort((near.truth, other, -near.iou, near.predicted)))
    rows, match = _match_greedily(
        near, predicted.image, near.iou, np.array([IOU]), truth.ignore, truth.ignore
    )
    taken = match[:, 0] >= 0
    rows, best = rows[taken], match[taken, 0]
    ignored = np.zeros(len(predicted.score), dtype=bool)
    ignored[rows] = truth.ignore[best]
    matched = np.full(len(predicted.score), -1)
    matched[rows] = np.where(truth.ignore[best], -1, best)
    return Matching(matched, ignored)


def match_coco(
    results: DetectionResults, overlaps: Overlaps
) -> dict[str, CocoMatching]:
    """Match as pycocotools does, for each of ``RANGES``; ignored boxes are crowds."""
    truth, predicted = results.truth, results.predicted
    group = predicted.image * len(results.classes) + predicted.label
    limited = _count_before(group) < MOST
    iou = np.where(truth.ignore[overlaps.truth], overlaps.inside, overlaps.iou)
    same = predicted.label[overlaps.predicted] == truth.label[overlaps.truth]
    candidates = same & (iou >= IOUS[0]) & limited[overlaps.predicted]
    near, iou = overlaps.keep(candidates), iou[candidates]
    order = np.lexsort((-near.truth, -iou, near.predicted))
    near, iou = near.keep(order), iou[order]
    matchings = {}
    for size in RANGES:
        positive = ~truth.ignore & of_size(truth.box, size)
        rows, match = _match_greedily(near, group, iou, IOUS, ~positive, truth.ignore)
        hit = match >= 0
        right = hit & positive[match]
        inside = limited & of_size(predicted.box, size)
        matchings[size] = CocoMatching(positive, inside, rows, right, hit & ~right)
    return matchings


def areas(box: Floats) -> Floats:
    """Return the areas of (boxes, 4) in square pixels, shape (boxes,)."""
    size = box[:, 2:] - box[:, :2]
    return np.asarray(size[:, 0] * size[:, 1])


def of_size(box: Floats, size: str) -> Flags:
    """Tell which of (boxes, 4) are in one of ``RANGES``, shape (boxes,)."""
    low, high = RANGES[size]
    area = areas(box)
    return np.asarray((area >= low) & (area <= high))


def _pairs(results: DetectionResults, rows: Integers, columns: Integers) -> Overlaps:
    ours, theirs = results.predicted.box, results.truth.box
    spans: list[Floats] = []
    for axis in (0, 1):
        low, other = ours[:, axis], theirs[:, axis]
        end = low + (ours[:, axis + 2] - low)
        other_end = other + (theirs[:, axis + 2] - other)
        span = np.minimum(end[rows], other_end[columns])
        span -= np.maximum(low[rows], other[columns])
        meet = span > 0
        rows, columns, span = rows[meet], columns[meet], span[meet]
        spans = [earlier[meet] for earlier in spans] + [span]
    shared = spans[0] * spans[1]
    area = areas(ours)[rows]
    iou = shared / (area + areas(theirs)[columns] - shared)
    inside = shared / area
    ignored = results.truth.ignore[columns]
    kept = (iou >= LOWEST_IOU) | (ignored & (inside >= LOWEST_IOU))
    return Overlaps(rows[kept], columns[kept], iou[kept], inside[kept])


def _single_iou(first: Floats, second: Floats) -> NDArray[np.float32]:
    """Return the IoU of each pair in single precision, as mmdet computes it."""
    a, b = first.astype(np.float32), second.astype(np.float32)
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[:, 0] * sides[:, 1]
    sizes = [box[:, 2:] - box[:, :2] for box in (a, b)]
    union = sizes[0][:, 0] * sizes[0][:, 1] + sizes[1][:, 0] * sizes[1][:, 1] - shared
    return np.asarray(shared / np.maximum(union, np.float32(1e-6)), dtype=np.float32)


def _match_greedily(
    overlaps: Overlaps,
    group: Integers,
    iou: Floats,
    thresholds: Floats,
    last: Flags,
    shared: Flags,
) -> tuple[Integers, NDArray[np.int32]]:
    """Let each prediction take the first free box that it prefers.

    The first prediction of every group takes its box, then the second of every
    group, and so on: one step for all images. Predictions of different groups,
    shape (predictions,), never want the same box. The pairs of a prediction are
    together, the preferred first; their IoUs, shape (pairs,), are compared with each
    threshold by itself. ``last`` boxes, shape (boxes,), are taken only if no other
    can be, ``shared`` ones by any number of predictions.

    Returns:
        The predictions that are in a pair, ascending, and what they take at
        each threshold, of shape (these predictions, thresholds); -1 for none.
    """
    rows, row = np.unique(overlaps.predicted, return_inverse=True)
    rank = _count_before(group[rows])[row]
    late = last[overlaps.truth]
    choice = _count_before(row * 2 + late)
    order = np.lexsort((choice, late, rank))
    key = np.stack([rank, late, choice])[:, order]
    starts = np.flatnonzero(np.any(np.diff(key, axis=1, prepend=-1), axis=0))
    match = np.full((len(rows), len(thresholds)), -1, dtype=np.int32)
    taken = np.zeros((len(last), len(thresholds)), dtype=bool)
    for step in np.split(order, starts[1:]) if len(order) else ():
        prediction, box = row[step], overlaps.truth[step]
        before = match[prediction]
        takes = (iou[step, None] >= thresholds) & (before < 0)
        takes &= ~taken[box] | shared[box, None]
        match[prediction] = np.where(takes, box[:, None], before)
        taken[box] |= takes
    return rows, match


def _count_before(values: Integers) -> Integers:
    """Return how many of the same value come before each, of shape (values,)."""
    order = np.argsort(values, kind='stable')
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    counts = np.diff(np.append(starts, len(values)))
    before = np.empty(len(values), dtype=np.intp)
    before[order] = np.arange(len(values)) - np.repeat(starts, counts)
    return before
