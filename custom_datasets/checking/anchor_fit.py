"""Anchors that fit boxes better, in the parameters that a config takes."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom_datasets.checking.anchor_grid import (
    Floats,
    anchor_scales,
    best_ious,
    build_grid,
)

CLUSTERS = 9
"""As many as YOLOv3 takes (Redmon & Farhadi 2018, arXiv:1804.02767)."""

SAMPLE = 400
"""Boxes of each class that anchors are fitted to, so that none is drowned."""

REACHED = 0.5
"""IoU at which an anchor reaches a box: the overlap that makes an anchor
positive for RetinaNet (Lin et al. 2017, arXiv:1708.02002, section 4), and from
which on a proposal counts as found (Ren et al. 2015, arXiv:1506.01497, figure 4)."""

ENOUGH = 0.98
"""Recall beyond which fewer anchors are worth more than a last box."""

SPREAD = 2.0
"""Largest over smallest ratio of the boxes from which on one ratio is too few:
a box at either end has an IoU of 0.72 with one in the middle, of equal area."""

ROUNDS = 50
"""Most rounds of k-means; on BCCD it stands still after 20."""


def fit_anchors(
    generator: Mapping[str, Any], boxes: Floats, sizes: Floats, labels: NDArray[np.str_]
) -> dict[str, Any]:
    """Find scales and ratios that reach more boxes, at the same strides.

    The boxes' widths and heights are clustered. The clusters' ratios, and
    their sizes over the strides, are candidates. The best one reaches the most
    boxes of the class that it reaches worst, on the grid; of equals it has the
    fewest anchors, then the highest mean IoU.

    Args:
        generator: The config of an ``AnchorGenerator``.
        boxes: ``(n, 4)``, ``xyxy`` in pixels, with an area.
        sizes: ``(n, 2)``, width and height of each one's image in pixels.
        labels: ``(n,)``, each one's class.

    Returns:
        The parameters that change; empty where the present ones are the best.
    """
    names = np.unique(labels)
    chosen = np.concatenate([_sample(boxes, labels == name) for name in names])
    boxes, sizes, labels = boxes[chosen], sizes[chosen], labels[chosen]
    members = [labels == name for name in names]

    def quality(changes: Mapping[str, Any]) -> tuple[float, int, float]:
        grid = build_grid({**generator, **changes})
        ious = best_ious(grid, boxes, sizes)
        worst = min(float((ious[mask] >= REACHED).mean()) for mask in members)
        return round(min(worst, ENOUGH), 2), -grid.shapes.shape[1], float(ious.mean())

    clusters = cluster_shapes(boxes[:, 2:] - boxes[:, :2], CLUSTERS)
    best: dict[str, Any] = {}
    highest = quality(best)
    for changes in _candidates(generator, clusters):
        reached = quality(changes)
        if reached > highest:
            best, highest = changes, reached
    return {key: value for key, value in best.items() if generator.get(key) != value}


def cluster_shapes(shapes: Floats, count: int) -> Floats:
    """Cluster widths and heights by k-means with the distance ``1 - IoU``.

    The IoU is that of boxes with a common corner (YOLO9000, Redmon & Farhadi
    2017, arXiv:1612.08242, section 2). It starts at quantiles of the area, so
    that the result depends on nothing but the shapes.

    Args:
        shapes: ``(n, 2)`` in pixels, all above 0.
        count: How many clusters; fewer where there are fewer shapes.

    Returns:
        ``(clusters, 2)``, ordered by area.
    """
    different = np.unique(shapes, axis=0)
    ordered = shapes[np.lexsort((shapes[:, 0], shapes.prod(1)))]
    count = min(count, len(different))
    places = (np.arange(count) + 0.5) / count * len(ordered)
    centers = np.unique(ordered[places.astype(int)], axis=0)
    nearest = None
    for _ in range(ROUNDS):
        inner = np.minimum(shapes[:, None], centers).prod(-1)
        union = shapes.prod(1)[:, None] + centers.prod(1) - inner
        before, nearest = nearest, (inner / union).argmax(1)
        if before is not None and (before == nearest).all():
            break
        used = np.unique(nearest)
        centers = np.array([shapes[nearest == index].mean(0) for index in used])
        nearest = np.searchsorted(used, nearest)
    by_area: Floats = centers[np.argsort(centers.prod(1))]
    return by_area


def _sample(boxes: Floats, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Take boxes of one class evenly over their areas."""
    places = np.flatnonzero(mask)
    sides = boxes[places, 2:] - boxes[places, :2]
    places = places[np.argsort(sides.prod(1), kind='stable')]
    count = min(SAMPLE, len(places))
    taken = ((np.arange(count) + 0.5) / count * len(places)).astype(int)
    chosen: NDArray[np.intp] = places[taken]
    return chosen


def _candidates(
    generator: Mapping[str, Any], clusters: Floats
) -> Iterator[dict[str, Any]]:
    strides = build_grid(generator).strides.min(1)
    base = np.array(generator.get('base_sizes') or strides, float)
    lengths = np.sqrt(clusters.prod(1))
    multiples = np.unique([_round(v) for v in (lengths[:, None] / base).ravel()])
    multiples = multiples[(multiples >= 0.5) & (multiples <= 32)]
    ratios = clusters[:, 1] / clusters[:, 0]
    for own in _ratio_sets(generator, ratios):
        for multiple in multiples.tolist():
            for scales in _scale_sets(generator, multiple):
                yield {**scales, 'ratios': own}


def _ratio_sets(generator: Mapping[str, Any], ratios: Floats) -> list[list[float]]:
    spread = np.exp(np.quantile(np.log(ratios), [0.1, 0.5, 0.9]))
    low, middle, high = (_round(value) for value in spread)
    sets = [list(generator['ratios']), [middle]]
    return [*sets, [low, middle, high]] if high >= SPREAD * low else sets


def _scale_sets(
    generator: Mapping[str, Any], smallest: float
) -> Iterator[dict[str, Any]]:
    if generator.get('scales') is None:
        for count in sorted({generator['scales_per_octave'], 3}):
            yield {'octave_base_scale': smallest, 'scales_per_octave': count}
        return
    present = anchor_scales(generator)
    yield {'scales': [_round(s) for s in present / present.min() * smallest]}
    if len(present) == 1:
        yield {'scales': [smallest, _round(smallest * 2**0.5)]}


def _round(value: float) -> float:
    """Round to two digits, and to a whole number from ten on."""
    return float(f'{value:.2g}') if value < 10 else float(round(value))
