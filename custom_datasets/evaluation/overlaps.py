"""Which predictions lie on which annotated boxes, for all images at once."""

from dataclasses import dataclass

import numpy as np

from custom_datasets.evaluation.results import (
    DetectionResults,
    Flags,
    Floats,
    Integers,
)

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
