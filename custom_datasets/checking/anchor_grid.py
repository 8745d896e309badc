"""The anchors that a config lays over an image, and how well they fit boxes.

The formulas are those of ``mmdet.models.task_modules.AnchorGenerator`` (mmdet
3.3 to 3.5), worked out without torch.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CHUNK = 20000
"""Boxes that are compared at once: some 10 MB for nine anchors a cell."""


class AnchorGrid(NamedTuple):
    """The anchors of a head.

    Attributes:
        shapes: ``(levels, anchors, 2)``, widths and heights in pixels.
        strides: ``(levels, 2)``, pixels from one centre to the next, in x and y.
        offsets: ``(levels, 2)``, the first centre.
    """

    shapes: Floats
    strides: Floats
    offsets: Floats


def build_grid(generator: Mapping[str, Any]) -> AnchorGrid:
    """Work out the anchors of an ``AnchorGenerator``'s config.

    An anchor's height is ``base_size * scale * sqrt(ratio)`` and its width
    ``base_size * scale / sqrt(ratio)``; a base size is the stride of its level
    unless it is given.

    Raises:
        KeyError: A parameter is missing.
        TypeError, ValueError: A parameter is not what the class takes.
    """
    strides = np.array([np.broadcast_to(s, 2) for s in generator['strides']], float)
    base = np.array(generator.get('base_sizes') or strides.min(1), float)
    roots = np.sqrt(np.array(generator['ratios'], float))
    factors = np.stack([1 / roots, roots], -1)
    scales = anchor_scales(generator)
    shapes = base[:, None, None, None] * factors[:, None] * scales[:, None]
    centers = generator.get('centers')
    if centers is None:
        centers = np.repeat(base[:, None] * generator.get('center_offset', 0.0), 2, 1)
    return AnchorGrid(
        shapes.reshape(len(base), -1, 2), strides, np.array(centers, float)
    )


def anchor_scales(generator: Mapping[str, Any]) -> Floats:
    """Return the scales, those of an octave where it gives its base.

    Raises:
        KeyError: It gives neither.
    """
    if generator.get('scales') is not None:
        return np.array(generator['scales'], float)
    count = generator['scales_per_octave']
    octave: Floats = generator['octave_base_scale'] * 2 ** (np.arange(count) / count)
    return octave


def best_ious(grid: AnchorGrid, boxes: Floats, sizes: Floats) -> Floats:
    """Return the IoU of each box with the anchor that fits it best.

    Of one shape and level the anchor with the nearest centre fits best, since
    the overlap falls with the distance along each side.

    Args:
        grid: The anchors; they have centres wherever the network has a cell,
            which is ``ceil(size / stride)`` along each side.
        boxes: ``(n, 4)``, ``xyxy`` in pixels, with an area.
        sizes: ``(n, 2)``, width and height of each one's image in pixels.

    Returns:
        ``(n,)``.
    """
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(boxes), _CHUNK)]
    parts = [_best_ious(grid, boxes[chunk], sizes[chunk]) for chunk in chunks]
    return np.concatenate([np.empty(0), *parts])


def _best_ious(grid: AnchorGrid, boxes: Floats, sizes: Floats) -> Floats:
    low, high = boxes[:, :2], boxes[:, 2:]
    sides, centers = high - low, (low + high) / 2
    area = sides.prod(1)[:, None]
    best = np.zeros(len(boxes))
    for shapes, stride, offset in zip(*grid, strict=True):
        last = np.ceil(sizes / stride) - 1
        cell = np.clip(np.rint((centers - offset) / stride), 0, last)
        distance = np.abs(cell * stride + offset - centers)[:, None]
        narrower = np.minimum(sides[:, None], shapes)
        touching = (sides[:, None] + shapes) / 2 - distance
        inner = np.clip(np.minimum(narrower, touching), 0, None).prod(-1)
        union = area + shapes.prod(-1) - inner
        best = np.maximum(best, (inner / union).max(1, initial=0))
    return best
