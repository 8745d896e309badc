"""Boxes sorted into groups that are worked on side by side.

Fusing is a loop over the boxes of one class in one image, where each step
depends on the last. Many images' loops run here as one: step j takes the j-th
box of every group at once, so that the steps are those of the largest group.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from custom_datasets.evaluation.results import Floats, Integers

CELLS = 1 << 17
"""Places of boxes worked on at a time: what fits into a processor's cache."""


class ModelBoxes(NamedTuple):
    """Boxes of several models on the same images.

    Attributes:
        image: Shape (boxes,), index into the images.
        label: Shape (boxes,), index into the classes.
        box: Shape (boxes, 4), ``xyxy`` in pixels.
        score: Shape (boxes,), 0 to 1.
        model: Shape (boxes,), index into the models.
    """

    image: Integers
    label: Integers
    box: Floats
    score: Floats
    model: Integers

    def take(self, rows: Integers) -> 'ModelBoxes':
        """Return some of the boxes, in the order given."""
        return ModelBoxes(
            self.image[rows],
            self.label[rows],
            self.box[rows],
            self.score[rows],
            self.model[rows],
        )


class Block(NamedTuple):
    """Groups of similar size, the largest first.

    Attributes:
        row: Shape (groups, size), which box it is, the best of a group first;
            -1 behind a group's last.
        active: Shape (size,), how many groups have more than j boxes.
    """

    row: Integers
    active: Integers


def blocks(boxes: ModelBoxes, weighted: Floats) -> Iterator[Block]:
    """Sort boxes into groups of one image and class, and these into blocks.

    Args:
        boxes: In any order.
        weighted: Shape (boxes,), what ranks them; equals rank as they come.
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


def overlaps(box: Floats, others: Floats) -> Floats:
    """Return intersections over unions; 0 for two boxes without area.

    Args:
        box: Shape (4, groups), ``xyxy``.
        others: Shape (4, groups, boxes).

    Returns:
        Shape (groups, boxes).
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


def _block(order: Integers, starts: Integers, sizes: Integers) -> Block:
    size = int(sizes[0])
    inside = np.arange(size) < sizes[:, None]
    places = np.where(inside, starts[:, None] + np.arange(size), 0)
    row = np.where(inside, order[places], -1)
    return Block(row, inside.sum(axis=0))
