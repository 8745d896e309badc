"""What annotations say about images: plain records, before any judgement.

A data set is read into these once, however it is stored; checks, splits,
conversions and reports work on them. Nothing here needs mmdet or torch.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Box = tuple[float, float, float, float]


def has_area(box: Box, counts_from: int = 0) -> bool:
    """Say whether a box has positive width and height; an inverted one has not.

    Where pixels are counted from 1, a box includes its last one, so that one less than
    a pixel wide ends before it begins. One that ends where it begins is still taken for
    the slip that it nearly always is: a click without a drag.
    """
    x1, y1, x2, y2 = box
    if counts_from:
        if x1 == x2 or y1 == y2:
            return False
        x1, y1 = x1 - 1, y1 - 1
    return x2 > x1 and y2 > y1


def iou(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Return intersection over union; 0 where neither box has an area.

    Both have shape (..., 4), ``xyxy`` edges, and are broadcast: ``iou(a[:, None], b)``
    compares each of ``a`` with each of ``b``. The result has the broadcast shape
    without its last axis.
    """
    a, b = np.asarray(boxes, float), np.asarray(others, float)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(0).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).clip(0).prod(-1) for box in (a, b)]
    union = np.asarray(areas[0] + areas[1] - shared)
    share: NDArray[np.float64] = np.zeros_like(union)
    np.divide(shared, union, out=share, where=union > 0)
    return share


PREDICTED = 'predicted by '
"""How annotations begin to say that a model made them: ``source/annotation`` of an XML,
``origin`` of an image in a COCO JSON, ``origin`` of YOLO's YAML file."""


# Not frozen: there are many, and a frozen one takes four times as long to make.
@dataclass(slots=True, unsafe_hash=True)
class BoxRecord:
    """One annotated object, never changed after it is read.

    Attributes:
        index: Its place in the annotation file, counted from 0.
        box: ``xmin, ymin, xmax, ymax`` in pixels, as the file has them, in the base
            that :attr:`SplitRecords.one_based` names; neither clipped nor in order.
        difficult: Counts in neither training nor evaluation.
        score: Of a box that a model has predicted, 0 to 1; no reader looks for it.
    """

    index: int
    name: str
    box: Box
    difficult: bool = False
    score: float | None = None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image and what is annotated on it.

    Attributes:
        name: What its list or annotation calls it.
        image: Path of the image file; None where it is missing.
        annotation: Path of the file that annotates it, if one does.
        boxes: Empty in classification.
        label: The class of the whole image; None in detection.
        size: Width and height in pixels that the annotation claims, if any.
        filename: The image file's name that the annotation claims, if any.
        origin: Who made the boxes, where no person has changed them; begins with
            :data:`PREDICTED`.
    """

    name: str
    image: str | None
    annotation: str | None = None
    boxes: tuple[BoxRecord, ...] = ()
    label: str | None = None
    size: tuple[int, int] | None = None
    filename: str | None = None
    origin: str = ''


@dataclass(frozen=True, slots=True)
class SplitRecords:
    """All images of one part of a data set.

    Attributes:
        split: ``train``, ``val`` or ``test``.
        classes: Known class names, in the order that numbers them.
        images: In the list's order.
        one_based: Whether boxes count pixels from 1, as VOC's do; then a box includes
            the pixels of its ``xmax`` and ``ymax``.
        source: The list or file that names the images.
    """

    split: str
    classes: tuple[str, ...]
    images: tuple[ImageRecord, ...]
    one_based: bool = False
    ignored: frozenset[str] = frozenset()
    source: str = ''
