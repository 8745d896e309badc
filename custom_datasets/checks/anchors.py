"""Check of a model's anchors against the boxes that it trains on."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.checks.codes import find
from custom_datasets.checks.scale import ScaledBoxes
from custom_datasets.data.config_sources import type_name
from custom_datasets.data.problems import Finding
from custom_datasets.text import counted

Floats = NDArray[np.float64]

_CHUNK = 20000
"""Boxes that are compared at once: some 10 MB for nine anchors per cell."""

RECALL = 0.95
"""Share of the boxes, and of each class, that anchors should reach."""

FEW = 20
"""Boxes below which a class is not judged by itself: of 19, one is 0.05."""

GAIN = 0.02
"""What other anchors, or larger images, must add to the recall to be named."""

_HEADS = {'bbox_head': (), 'rpn_head': ('rpn',)}
_WITHOUT_ANCHORS = ('MlvlPointGenerator', 'PointGenerator')

CLUSTERS = 9
"""As many as YOLOv3 takes (Redmon & Farhadi 2018, arXiv:1804.02767)."""

SAMPLE = 400
"""Boxes of each class that anchors are fitted to, so that each class counts."""

REACHED = 0.5
"""IoU at which an anchor reaches a box: the overlap that makes an anchor
positive for RetinaNet (Lin et al. 2017, arXiv:1708.02002, section 4), and at
which a proposal counts as found (Ren et al. 2015, arXiv:1506.01497, figure 4)."""

ENOUGH = 0.98
"""Recall beyond which fewer anchors are worth more than a last box."""

SPREAD = 2.0
"""Largest over smallest ratio of the boxes above which one ratio is not enough: a
box at either end has an IoU of 0.72 with one in the middle, of equal area."""

ROUNDS = 50
"""Most rounds of k-means; on BCCD nothing changes after 20."""


class Anchors(NamedTuple):
    """A head with anchors.

    Attributes:
        head: ``bbox_head`` or ``rpn_head``.
        generator: The config of its anchor generator.
        assigner: The config of what gives boxes to anchors in training.
    """

    head: str
    generator: Mapping[str, Any]
    assigner: Mapping[str, Any]


def check_anchors(model: Mapping[str, Any], scaled: ScaledBoxes) -> list[Finding]:
    """Say how many training boxes the anchors can reach, and which ones reach more.

    Judged are ``AnchorGenerator`` with ``MaxIoUAssigner``, as in RetinaNet, Faster
    R-CNN and what is derived from them: a warning for each head whose anchors reach
    less than :data:`RECALL` of all boxes or of a class, a note for each other head with
    anchors.
    """
    if not len(scaled.boxes):
        return []
    findings = []
    for anchors in find_anchors(model):
        kinds = [
            type_name(part.get('type')).rpartition('.')[2]
            for part in (anchors.generator, anchors.assigner)
        ]
        if kinds == ['AnchorGenerator', 'MaxIoUAssigner']:
            findings.append(_judge(anchors, scaled))
        elif kinds[0] not in _WITHOUT_ANCHORS:
            text = f'{anchors.head}: {kinds[0]} with {kinds[1]} is not judged'
            findings.append(find('anchors-not-judged', text, split='train'))
    return findings


def find_anchors(model: Mapping[str, Any]) -> Iterator[Anchors]:
    """Yield the heads of a detector that have an anchor generator."""
    for head, path in _HEADS.items():
        part = model.get(head)
        if not isinstance(part, Mapping):
            continue
        generator = part.get('anchor_generator') or part.get('prior_generator')
        settings: Any = model
        for key in ('train_cfg', *path, 'assigner'):
            settings = settings.get(key)
            if not isinstance(settings, Mapping):
                settings = {}
        if isinstance(generator, Mapping):
            yield Anchors(head, generator, settings)


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
    """Return the anchors of an ``AnchorGenerator``'s config.

    An anchor's height is ``base_size * scale * sqrt(ratio)`` and its width ``base_size
    * scale / sqrt(ratio)``; a base size is the stride of its level unless it is given.
    Raises KeyError for a missing parameter, TypeError or ValueError for one that the
    class does not take.
    """
    strides = np.array([np.broadcast_to(s, 2) for s in generator['strides']], float)
    base = np.array(generator.get('base_sizes') or strides.min(1), float)
    roots = np.sqrt(np.array(generator['ratios'], float))
    factors = np.stack([1 / roots, roots], -1)
    scales = _scales(generator)
    shapes = base[:, None, None, None] * factors[:, None] * scales[:, None]
    centers = generator.get('centers')
    if centers is None:
        centers = np.repeat(base[:, None] * generator.get('center_offset', 0.0), 2, 1)
    return AnchorGrid(
        shapes.reshape(len(base), -1, 2), strides, np.array(centers, float)
    )


def best_ious(grid: AnchorGrid, boxes: Floats, sizes: Floats) -> Floats:
    """Return the IoU, ``(n,)``, of each box with the anchor that fits it best.

    Of one shape and level the anchor with the nearest centre fits best, since the
    overlap falls with the distance along each side. Anchors have centres wherever the
    network has a cell, which is ``ceil(size / stride)`` along each side. Boxes are
    ``(n, 4)``, ``xyxy``, with an area, and sizes ``(n, 2)``, width and height of each
    one's image, all in pixels.
    """
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(boxes), _CHUNK)]
    parts = [_best_ious(grid, boxes[chunk], sizes[chunk]) for chunk in chunks]
    return np.concatenate([np.empty(0), *parts])


def _scales(generator: Mapping[str, Any]) -> Floats:
    """Return the scales, those of an octave where it gives its base."""
    if generator.get('scales') is not None:
        return np.array(generator['scales'], float)
    count = generator['scales_per_octave']
    octave: Floats = generator['octave_base_scale'] * 2 ** (np.arange(count) / count)
    return octave


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


def fit_anchors(
    generator: Mapping[str, Any], boxes: Floats, sizes: Floats, labels: NDArray[np.str_]
) -> dict[str, Any]:
    """Find scales and ratios that reach more boxes, at the same strides.

    The boxes' widths and heights are clustered. The clusters' ratios, and their sizes
    over the strides, are candidates. The best one reaches the most boxes of the class
    that it reaches worst, on the grid; of equals it has the fewest anchors, then the
    highest mean IoU. Boxes and sizes are those of :func:`best_ious`, labels ``(n,)``.
    Returns the parameters that change; empty where the present ones are the best.
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

    The IoU is that of boxes with a common corner (YOLO9000, Redmon & Farhadi 2017,
    arXiv:1612.08242, section 2). It starts at quantiles of the area, so that the result
    depends on nothing but the shapes, ``(n, 2)`` in pixels, all above 0. Returns
    ``(clusters, 2)``, ordered by area; fewer than ``count`` where there are fewer
    shapes.
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


def _judge(anchors: Anchors, scaled: ScaledBoxes) -> Finding:
    labels = np.array([box.name for _, box in scaled.owners])
    try:
        grid = build_grid(anchors.generator)
        if not grid.shapes.size:
            raise ValueError('it has no anchors')
    except (KeyError, TypeError, ValueError) as error:
        text = f'{anchors.head}: its anchor_generator is incomplete ({error!r})'
        return find('anchors-not-judged', text, split='train')
    ious = best_ious(grid, scaled.boxes, scaled.sizes)
    reached = _recalls(ious, labels)
    lengths = np.sqrt(grid.shapes.prod(-1))
    text = (
        f'{anchors.head}: the anchors, {lengths.min():.0f} to {lengths.max():.0f} px, '
        f'reach {_share(reached)} of the boxes at IoU {REACHED:g}; the mean of the '
        f'best IoUs is {ious.mean():.2f}{_unmatched(anchors.assigner, ious)}'
    )
    lowest = min(reached.values())
    if lowest >= RECALL:
        return find('anchor-recall', text, case='they reach enough', split='train')
    advice = _advise(anchors, scaled, labels, lowest)
    return find('anchor-recall', text, hint=advice, split='train')


def _recalls(ious: Floats, labels: NDArray[np.str_]) -> dict[str, float]:
    """Return the recall of all boxes, called '', and of each class to judge."""
    reached = ious >= REACHED
    names, counts = np.unique(labels, return_counts=True)
    recalls = {'': float(reached.mean())}
    for name in names[counts >= FEW]:
        recalls[str(name)] = float(reached[labels == name].mean())
    return recalls


def _share(recalls: Mapping[str, float]) -> str:
    low = sorted((value, name) for name, value in recalls.items() if name)
    classes = ', '.join(f'{name} {value:.3g}' for value, name in low[:5])
    more = ', ...' if len(low) > 5 else ''
    return f'{recalls[""]:.3g}' + (f' ({classes}{more})' if classes else '')


def _unmatched(assigner: Mapping[str, Any], ious: Floats) -> str:
    """Count the boxes that get no anchor in training.

    With ``match_low_quality``, the default, a box takes its best anchor if that has
    ``min_pos_iou``, whatever ``pos_iou_thr`` says.
    """
    least = assigner.get('pos_iou_thr', REACHED)
    if assigner.get('match_low_quality', True):
        least = assigner.get('min_pos_iou', 0.0)
    if not isinstance(least, (int, float)):
        return ''
    lost = int((ious < least).sum())
    text = counted(lost, 'boxes get', 'box gets')
    return f'; {text} no anchor in training' if lost else ''


def _advise(
    anchors: Anchors, scaled: ScaledBoxes, labels: NDArray[np.str_], lowest: float
) -> str:
    """Name anchors that reach more, here or on larger images; each is tried."""
    advice = []
    for times, where in ((1, ''), (2, 'on images twice as wide and high ')):
        if lowest >= RECALL:
            break
        boxes, sizes = scaled.boxes * times, scaled.sizes * times
        changes = fit_anchors(anchors.generator, boxes, sizes, labels)
        grid = build_grid({**anchors.generator, **changes})
        reached = _recalls(best_ious(grid, boxes, sizes), labels)
        if min(reached.values()) >= lowest + GAIN:
            lowest = min(reached.values())
            settings = ', '.join(f'{key}={value}' for key, value in changes.items())
            line = (
                f'model = dict({anchors.head}=dict(anchor_generator=dict({settings})))'
            )
            what = f'{line} would' if changes else 'they would'
            advice.append(f'{where}{what} reach {_share(reached)}')
    return '; '.join(advice) or (
        'no scales and ratios at these strides reach more, nor would larger images: '
        'try a model with a finer stride, or without anchors'
    )


def _sample(boxes: Floats, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
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
    present = _scales(generator)
    yield {'scales': [_round(s) for s in present / present.min() * smallest]}
    if len(present) == 1:
        yield {'scales': [smallest, _round(smallest * 2**0.5)]}


def _round(value: float) -> float:
    """Round to two digits, and to a whole number from ten on."""
    return float(f'{value:.2g}') if value < 10 else float(round(value))
