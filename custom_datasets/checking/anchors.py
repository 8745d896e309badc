"""Check of the anchors of a model against the boxes that it trains on."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.checking.anchor_fit import REACHED, fit_anchors
from custom_datasets.checking.anchor_grid import Floats, best_ious, build_grid
from custom_datasets.checking.finding import Finding
from custom_datasets.checking.pipeline_scale import ScaledBoxes

RECALL = 0.95
"""Share of the boxes, and of each class, that anchors should reach."""

FEW = 20
"""Boxes below which a class is not judged by itself: of 19, one is 0.05."""

GAIN = 0.02
"""What other anchors, or a larger scale, must add to the recall to be named."""

_HEADS = {'bbox_head': (), 'rpn_head': ('rpn',)}
_WITHOUT_ANCHORS = ('MlvlPointGenerator', 'PointGenerator')


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
    """Say how many boxes the anchors can reach, and which ones reach more.

    Judged are ``AnchorGenerator`` with ``MaxIoUAssigner``, as RetinaNet, Faster
    R-CNN and what descends from them have them.

    Args:
        model: The config of a detector.
        scaled: The training set's boxes as its pipeline hands them over.

    Returns:
        A warning for each head whose anchors reach less than :data:`RECALL` of
        all boxes or of a class, a note for each other head with anchors.
    """
    if not len(scaled.boxes):
        return []
    findings = []
    for anchors in find_anchors(model):
        kinds = [_kind(anchors.generator), _kind(anchors.assigner)]
        if kinds == ['AnchorGenerator', 'MaxIoUAssigner']:
            findings.append(_judge(anchors, scaled))
        elif kinds[0] not in _WITHOUT_ANCHORS:
            text = f'{anchors.head}: {kinds[0]} with {kinds[1]} is not judged here'
            findings.append(_finding('anchors-not-judged', 'note', text))
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


def _judge(anchors: Anchors, scaled: ScaledBoxes) -> Finding:
    labels = np.array([box.name for _, box in scaled.owners])
    try:
        grid = build_grid(anchors.generator)
        if not grid.shapes.size:
            raise ValueError('it has no anchor')
    except (KeyError, TypeError, ValueError) as error:
        text = f'{anchors.head}: its anchor_generator is incomplete ({error!r})'
        return _finding('anchors-not-judged', 'note', text)
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
        return _finding('anchor-recall', 'note', text)
    advice = _advise(anchors, scaled, labels, lowest)
    return _finding('anchor-recall', 'warning', text, advice)


def _recalls(ious: Floats, labels: NDArray[np.str_]) -> dict[str, float]:
    """Return the recall of all boxes, called '', and of each class to judge."""
    found = ious >= REACHED
    names, counts = np.unique(labels, return_counts=True)
    recalls = {'': float(found.mean())}
    for name in names[counts >= FEW]:
        recalls[str(name)] = float(found[labels == name].mean())
    return recalls


def _share(recalls: Mapping[str, float]) -> str:
    """Write recalls, the worst classes first."""
    low = sorted((value, name) for name, value in recalls.items() if name)
    classes = ', '.join(f'{name} {value:.3g}' for value, name in low[:5])
    more = ', ...' if len(low) > 5 else ''
    return f'{recalls[""]:.3g}' + (f' ({classes}{more})' if classes else '')


def _unmatched(assigner: Mapping[str, Any], ious: Floats) -> str:
    """Count the boxes that are given no anchor in training.

    With ``match_low_quality``, the default, a box takes its best anchor from
    ``min_pos_iou`` on, whatever ``pos_iou_thr`` says.
    """
    least = assigner.get('pos_iou_thr', REACHED)
    if assigner.get('match_low_quality', True):
        least = assigner.get('min_pos_iou', 0.0)
    if not isinstance(least, (int, float)):
        return ''
    lost = int((ious < least).sum())
    return f'; {lost} boxes get no anchor in training' if lost else ''


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
            what = f'{line}: they' if changes else 'they'
            advice.append(f'{where}{what} reach {_share(reached)}')
    return '; '.join(advice) or (
        'no scales and ratios at these strides reach more, nor do larger images: try a '
        'model with a finer stride, or without anchors'
    )


def _kind(part: Mapping[str, Any]) -> str:
    kind = part.get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
    return name.rpartition('.')[2]


def _finding(code: str, severity: str, message: str, hint: str = '') -> Finding:
    return Finding(
        code=code, severity=severity, message=message, hint=hint, split='train'
    )
