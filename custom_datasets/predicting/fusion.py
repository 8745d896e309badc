"""Boxes, or probabilities, of several models made into one set.

Boxes are fused class by class:

- ``wbf``, weighted boxes fusion: R. Solovyev, W. Wang, T. Gabruseva, "Weighted
  boxes fusion: Ensembling boxes from different object detection models", Image
  and Vision Computing 107 (2021), section 3, https://arxiv.org/abs/1910.13302.
  Boxes that overlap are averaged, weighted by their scores, and what few
  models see loses score.
- ``nms``: of boxes that overlap the best one stays.
- ``soft-nms``: all stay and lose score by how much they overlap a better one.
  N. Bodla et al., "Soft-NMS - Improving Object Detection With One Line of
  Code", ICCV 2017, equation 2 (the linear one, whose threshold is an IoU too).
- ``nmw``, non-maximum weighted: H. Zhou et al., "CAD: Scale Invariant Framework
  for Real-Time Object Detection", ICCV Workshops 2017, section 3.4. As NMS, but
  what stays is moved to the mean of the group, weighted by score times overlap.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from custom_datasets.evaluation.calibration import log_probabilities, with_temperature
from custom_datasets.evaluation.results import Floats, Integers, PredictedBoxes

METHODS = ('wbf', 'nms', 'soft-nms', 'nmw')
POOLINGS = ('mean', 'logits')

IOU = 0.55
"""What the paper on WBF found to be near the best."""

MOST = 100
"""Boxes kept per image, as mmdet's heads and COCO's evaluation do."""

CELLS = 1 << 17
"""Places of boxes worked on at a time: what fits into a processor's cache."""

_FAINTEST = 1e-3
"""Score under which soft-NMS drops a box: mmcv's default."""


class ModelBoxes(NamedTuple):
    """Boxes of several models on the same images, shape (boxes, 4), ``xyxy`` in pixels.

    The other arrays, shape (boxes,), are indices, and scores of 0 to 1.
    """

    image: Integers
    label: Integers
    box: Floats
    score: Floats
    model: Integers

    def take(self, rows: Integers) -> 'ModelBoxes':
        """Return some of the boxes, in this order."""
        return ModelBoxes(
            self.image[rows],
            self.label[rows],
            self.box[rows],
            self.score[rows],
            self.model[rows],
        )


def fuse_boxes(
    boxes: ModelBoxes,
    weights: Floats,
    method: str = 'wbf',
    iou: float = IOU,
    most: int = MOST,
) -> PredictedBoxes:
    """Make one set of boxes, the ``most`` best per image, out of all models'.

    Boxes are the same object above the overlap ``iou``; in soft-NMS they lose score
    from it on. Weights, shape (models,), are 0 or more, one of them above 0. Boxes
    without score, weight or area are dropped.

    In WBF a model of weight 2 counts as two that say the same: with scores c
    and their models' weights w, a cluster's score is ``sum(w c) / sum(w) *
    min(sum(w), W) / W``, W being the weights of all models together, and its
    box the mean weighted by ``w c``. With equal weights that is the paper's.
    In the other methods scores are multiplied with weights, of which the
    largest is taken as 1.
    """
    relative = weights / weights.max()
    weighted = boxes.score * relative[boxes.model]
    solid = (boxes.box[:, 2:] > boxes.box[:, :2]).all(axis=1)
    counting = np.flatnonzero((weighted > 0) & solid)
    boxes, weighted = boxes.take(counting), weighted[counting]
    rows, fused, scores = [], [], []
    for block in _blocks(boxes, weighted):
        if method == 'soft-nms':
            row, box, score = _decayed(block, boxes, weighted, iou)
        else:
            row, box, score = _clustered(block, boxes, weighted, relative, method, iou)
        rows.append(row)
        fused.append(box)
        scores.append(score)
    if not rows:
        none = np.zeros(0, dtype=np.intp)
        return PredictedBoxes(none, none, np.zeros((0, 4)), np.zeros(0))
    row, score = np.concatenate(rows), np.concatenate(scores)
    order = np.lexsort((row, -score, boxes.image[row]))
    image = boxes.image[row[order]]
    order = order[np.arange(len(image)) - np.searchsorted(image, image) < most]
    row = row[order]
    box = np.concatenate(fused)[order]
    return PredictedBoxes(boxes.image[row], boxes.label[row], box, score[order])


def pool_scores(scores: Floats, weights: Floats, method: str = 'mean') -> Floats:
    """Make one probability for each class out of all models'.

    The shape (models, images, classes) becomes (images, classes). ``logits`` is the
    geometric mean, divided by its sum.
    """
    share = (weights / weights.sum())[:, None, None]
    if method == 'mean':
        mean: Floats = (share * scores).sum(axis=0)
        return mean
    logs = (share * log_probabilities(scores)).sum(axis=0)
    pooled: Floats = np.exp(with_temperature(logs, 1.0))
    return pooled


class _Block(NamedTuple):
    """Groups of similar size, the largest first.

    Attributes:
        row: Shape (groups, size), which box it is, the best of a group first;
            -1 behind a group's last.
        active: Shape (size,), how many groups have more than j boxes.
    """

    row: Integers
    active: Integers


def _blocks(boxes: ModelBoxes, weighted: Floats) -> Iterator[_Block]:
    """Sort boxes into groups of one image and class, and these into blocks.

    ``weighted``, shape (boxes,), ranks them; equals keep their order.
    """
    order = np.lexsort((-weighted, boxes.label, boxes.image))
    image, label = boxes.image[order], boxes.label[order]
    new = np.flatnonzero((np.diff(image) != 0) | (np.diff(label) != 0)) + 1
    starts = np.concatenate(([0], new)) if len(order) else new
    sizes = np.diff(np.concatenate((starts, [len(order)])))
    largest_first = np.argsort(-sizes, kind='stable')
    starts, sizes = starts[largest_first], sizes[largest_first]
    done = 0
    while done < len(sizes):
        end = done + max(1, CELLS // int(sizes[done]))
        yield _block(order, starts[done:end], sizes[done:end])
        done = end


def _overlaps(box: Floats, others: Floats) -> Floats:
    """Compare ``(4, groups)`` with ``(4, groups, boxes)``; returns ``(groups, boxes)``.

    As ``data.records.iou``, which takes four times as long, but in place and with the
    coordinates first: nearly all of the time is spent here.
    """
    x1, y1, x2, y2 = box[:, :, None]
    width = np.minimum(x2, others[2])
    width -= np.maximum(x1, others[0])
    height = np.minimum(y2, others[3])
    height -= np.maximum(y1, others[1])
    shared = np.maximum(width, 0, out=width)
    shared *= np.maximum(height, 0, out=height)
    union: Floats = (others[2] - others[0]) * (others[3] - others[1])
    union += (x2 - x1) * (y2 - y1)
    union -= shared
    overlap: Floats = np.divide(
        shared, union, out=np.zeros_like(union), where=union > 0
    )
    return overlap


def _block(order: Integers, starts: Integers, sizes: Integers) -> _Block:
    size = int(sizes[0])
    inside = np.arange(size) < sizes[:, None]
    places = np.where(inside, starts[:, None] + np.arange(size), 0)
    row = np.where(inside, order[places], -1)
    return _Block(row, inside.sum(axis=0))


def _clustered(
    block: _Block,
    boxes: ModelBoxes,
    weighted: Floats,
    relative: Floats,
    method: str,
    iou: float,
) -> tuple[Integers, Floats, Floats]:
    """Put boxes into clusters; each has the row of its first box, its box and score."""
    shape = block.row.shape
    moving, averaged = method == 'wbf', method != 'nms'
    leader = np.full(shape, -1, dtype=np.intp)
    fused = np.zeros((4, *shape))
    corner, mass, share = np.zeros((4, *shape)), np.zeros(shape), np.zeros(shape)
    count = np.zeros(shape[0], dtype=np.intp)
    for step, active in enumerate(block.active):
        row = block.row[:active, step]
        box = boxes.box[row].T
        group = np.arange(active)
        overlap = _overlaps(box, fused[:, :active, : count[:active].max() + 1])
        # WBF's boxes move, and may come to overlap: the nearest is taken. In
        # the other two each of the best takes what it overlaps, in turn.
        target = (overlap if moving else overlap > iou).argmax(axis=1)
        nearest = overlap[group, target]
        alone = ~(nearest > iou)
        target[alone] = count[:active][alone]
        count[:active] += alone
        leader[group[alone], target[alone]] = row[alone]
        fused[:, group[alone], target[alone]] = box[:, alone]
        if averaged:
            amount = weighted[row]
            share[group, target] += relative[boxes.model[row]]
            if not moving:
                amount = amount * np.where(alone, 1.0, nearest)
            mass[group, target] += amount
            corner[:, group, target] += amount * box
        if moving:
            met, into = group[~alone], target[~alone]
            fused[:, met, into] = corner[:, met, into] / mass[met, into]
    used = leader >= 0
    row = leader[used]
    if not moving:
        box = corner[:, used] / mass[used] if averaged else fused[:, used]
        return row, box.T, weighted[row]
    total = relative.sum()
    score = mass[used] / share[used] * np.minimum(share[used], total) / total
    return row, fused[:, used].T, score


def _decayed(
    block: _Block, boxes: ModelBoxes, weighted: Floats, iou: float
) -> tuple[Integers, Floats, Floats]:
    """Take the best box left, lower the scores of what it overlaps, and repeat."""
    inside = block.row >= 0
    score = np.where(inside, weighted[block.row], -1.0)
    box = np.ascontiguousarray(np.moveaxis(boxes.box[block.row], 2, 0))
    final = np.full(block.row.shape, -1.0)
    for active in block.active:
        group = np.arange(active)
        best = score[:active].argmax(axis=1)
        final[group, best] = score[group, best]
        score[group, best] = -1
        overlap = _overlaps(box[:, group, best], box[:, :active])
        # What is taken keeps its -1: made 0, it would be taken once more.
        decays = (overlap >= iou) & (score[:active] > 0)
        score[:active] *= np.where(decays, 1 - overlap, 1)
    kept = inside & (final >= _FAINTEST)
    row = block.row[kept]
    return row, boxes.box[row], final[kept]
