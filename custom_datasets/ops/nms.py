"""Non-maximum suppression with the calling conventions of ``mmcv._ext``.

Boxes are ``xyxy`` in pixels. With `offset` 1 the right and bottom edges belong
to the box, so its width is ``x2 - x1 + 1``. Equal scores rank in the order of
the input.
"""

import numpy as np
import torch
import torchvision  # noqa: F401  (registers its kernels)
from numpy.typing import NDArray
from torch import Tensor

from custom_datasets.ops.precision import working_dtype

__all__ = ['nms', 'nms_match', 'softnms']

_NAIVE, _LINEAR = 0, 1


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return indices, best first, of the (N, 4) boxes that overlap no better one.

    A box is dropped if its IoU with a kept one is larger than the threshold.
    """
    dtype = torch.float64 if offset else working_dtype(boxes)
    corners = boxes.to(dtype)
    if offset:
        # In double precision the shifted edges are exact.
        corners = torch.cat((corners[:, :2], corners[:, 2:] + offset), dim=1)
    # The kernel for CUDA takes the threshold as float32. An IoU that equals
    # the threshold must not exceed it after rounding.
    threshold = np.float32(iou_threshold)
    if dtype == torch.float64 and float(threshold) < iou_threshold:
        threshold = np.nextafter(threshold, np.float32(np.inf))
    kept: Tensor = torch.ops.torchvision.nms(
        corners, scores.to(dtype), float(threshold)
    )
    return kept


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Group (N, 5) boxes with scores by the kept box that suppresses them.

    Here an IoU equal to the threshold suppresses too. Each list of indices is led by
    its kept box, the best first; the suppressed follow in order of score.
    """
    order = dets[:, 4].argsort(descending=True, stable=True).cpu().numpy()
    table = _with_areas(dets[:, :4], offset=0)[:, order]
    threshold = table.dtype.type(iou_threshold)
    groups = []
    while len(order):
        suppressed = _iou_with_first(table, offset=0) >= threshold
        groups.append([int(order[0]), *order[1:][suppressed].tolist()])
        others = 1 + np.flatnonzero(~suppressed)
        table, order = table.take(others, axis=1), order[others]
    return groups


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of (N, 4) boxes that overlap a better one.

    Source: Bodla et al., Soft-NMS, https://arxiv.org/abs/1704.04503. Method 0 sets
    scores to 0, 1 multiplies with ``1 - IoU`` (both from the threshold on), 2 with
    ``exp(-IoU ** 2 / sigma)``. A box goes when its score falls below the minimum, but
    the best of all is kept. The indices of the K left are returned; the first K rows
    of `dets`, (N, 5), become these boxes with their new scores, best first.
    """
    table = _with_areas(boxes, offset)
    real = table.dtype.type
    score = scores.detach().to('cpu', working_dtype(boxes)).numpy().copy()
    index = np.arange(len(score))
    arrays = (*table, score, index)

    count, current = len(score), 0
    while current < count:
        best = current + int(score[current:count].argmax())
        for array in arrays:
            array[current], array[best] = array[best], array[current]
        iou = _iou_with_first(table[:, current:count], offset)
        current += 1
        if method in (_NAIVE, _LINEAR):
            reduced = 1 - iou if method == _LINEAR else real(0)
            decay = np.where(iou >= real(iou_threshold), reduced, real(1))
        else:
            decay = np.exp(-(iou * iou).astype(np.float64) / sigma).astype(real)
        score[current:count] *= decay
        # Dropped boxes leave holes that are filled from the end, the last box
        # first: how later ties rank depends on it.
        alive = ~(score[current:count] < real(min_score))
        left = int(alive.sum())
        holes = current + np.flatnonzero(~alive[:left])
        fillers = current + left + np.flatnonzero(alive[left:])[::-1]
        for array in arrays if len(holes) else ():
            array[holes] = array[fillers]
        count = current + left
    kept = np.vstack((table[:4, :count], score[:count])).T
    dets[:count] = torch.from_numpy(kept).to(dets)
    return torch.from_numpy(index[:count]).to(boxes.device)


def _with_areas(boxes: Tensor, offset: int) -> NDArray[np.floating]:
    """Return a (5, N) copy: the rows x1, y1, x2, y2 and the area in pixels."""
    corners = boxes.detach().to('cpu', working_dtype(boxes)).t().numpy()
    x1, y1, x2, y2 = corners
    area = (x2 - x1 + offset) * (y2 - y1 + offset)
    return np.vstack((corners, area))


def _iou_with_first(table: NDArray[np.floating], offset: int) -> NDArray[np.floating]:
    """Return the IoU of the first of N columns with the others, (N - 1,).

    It is 0 for two boxes without area. Unlike ``data.records.iou`` it knows mmcv's
    offset and keeps the precision of the boxes.
    """
    x1, y1, x2, y2, area = table
    width = np.minimum(x2[0], x2[1:]) - np.maximum(x1[0], x1[1:]) + offset
    height = np.minimum(y2[0], y2[1:]) - np.maximum(y1[0], y1[1:]) + offset
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    union = area[0] + area[1:] - shared
    iou: NDArray[np.floating] = np.zeros_like(shared)
    np.divide(shared, union, out=iou, where=union != 0)
    return iou
