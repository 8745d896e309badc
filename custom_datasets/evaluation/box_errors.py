"""What goes wrong, and how much average precision each kind of mistake costs.

After D. Bolya, S. Foley, J. Hays and J. Hoffman, "TIDE: A General Toolbox for
Identifying Object Detection Errors", ECCV 2020: each kind is repaired alone,
and what the average precision then gains is what the kind costs. Here that is
area-AP50, with the matching of that.
"""

from typing import Any, NamedTuple

import numpy as np

from custom_datasets.evaluation.average_precision import mean_known
from custom_datasets.evaluation.curves import Ranked, area_under
from custom_datasets.evaluation.matching import IOU, Matching
from custom_datasets.evaluation.overlaps import LOWEST, Overlaps
from custom_datasets.evaluation.results import (
    DetectionResults,
    Flags,
    Floats,
    Integers,
)

KINDS = ('class', 'localisation', 'both', 'duplicate', 'background', 'missed')
"""The kinds of mistakes, in the order of these numbers.

class: on an object of another class (IoU of at least 0.5). localisation: the
class is right, but the IoU is only 0.1 to 0.5. both: the class is wrong too.
duplicate: the object was found before. background: no object has an IoU of 0.1.
missed: an object that no prediction would find with its class or its box
repaired.
"""


CLASS, LOCALISATION, BOTH, DUPLICATE, BACKGROUND = range(5)


class _Best(NamedTuple):
    iou: Floats  # Shape (predictions,); 0 where nothing overlaps.
    truth: Integers  # Shape (predictions,); -1 there.


class _State(NamedTuple):
    label: Integers  # Shape (predictions,).
    found: Flags  # Shape (predictions,).
    counts: Flags  # Shape (predictions,).
    objects: Integers  # Shape (classes,).


def box_errors(
    results: DetectionResults,
    overlaps: Overlaps,
    matching: Matching,
    threshold: float,
) -> dict[str, Any]:
    """Sort the mistakes into kinds and repair each kind alone.

    Where a prediction fits several kinds, localisation goes before class and
    class before duplicate, as in the authors' program. Repairing classes or
    boxes turns the most confident prediction of that kind on each object that
    is not found into a right one and drops the others; all other false
    positives are dropped; missed objects are no longer counted. A class of
    which every object was missed then has an AP of 1.

    Args:
        results: Truth and predictions.
        overlaps: Of them.
        matching: Of each class by itself.
        threshold: The lowest score that is deployed.

    Returns:
        ``types``: for each of ``KINDS`` its ``count`` at any score, as average
        precision sees it, and from the threshold on (``deployed``), ``dap``,
        the gain of the mean area-AP50, and ``count`` and ``dap`` for each
        class: a prediction counts in its own class, a missed object in its
        class; NaN without objects.
    """
    truth, predicted = results.truth, results.predicted
    classes = len(results.classes)
    kinds, target = _sort_out(results, overlaps, matching)
    kept = predicted.score >= threshold
    unfound = _left(truth.ignore, matching.truth, matching.found)
    fixable = np.isin(kinds, [CLASS, LOCALISATION])
    missed = unfound & _left(truth.ignore, target, fixable)
    deployed = [int((kept & (kinds == kind)).sum()) for kind in range(len(KINDS) - 1)]
    late = _left(truth.ignore, matching.truth, matching.found & kept)
    deployed.append(int((late & _left(truth.ignore, target, fixable & kept)).sum()))
    start = _State(
        predicted.label,
        matching.found,
        ~matching.ignored,
        np.bincount(truth.label[~truth.ignore], minlength=classes),
    )
    states: list[_State] = []
    labels: list[Integers] = []
    for kind in range(len(KINDS) - 1):
        wrong = kinds == kind
        labels.append(predicted.label[wrong])
        repairable = wrong & (kind in (CLASS, LOCALISATION))
        right = _first_on_each(repairable, target, unfound, predicted.score)
        label = start.label.copy()
        label[right] = truth.label[target[right]]
        counts = start.counts & (~wrong | right)
        states.append(_State(label, start.found | right, counts, start.objects))
    labels.append(truth.label[missed])
    left = start.objects - np.bincount(labels[-1], minlength=classes)
    states.append(start._replace(objects=left))

    base = _average_precision(start, predicted.score)
    gains = [_average_precision(state, predicted.score) - base for state in states]
    gains[-1][(start.objects > 0) & (left == 0)] = 1
    return {
        'iou_foreground': IOU,
        'iou_background': LOWEST,
        'area_ap50': mean_known(base),
        'types': [
            _as_json(kind, np.bincount(label, minlength=classes), number, gain)
            for kind, label, number, gain in zip(
                KINDS, labels, deployed, gains, strict=True
            )
        ],
    }


def _as_json(
    kind: str, counts: Integers, deployed: int, gains: Floats
) -> dict[str, Any]:
    return {
        'kind': kind,
        'count': int(counts.sum()),
        'deployed': deployed,
        'dap': mean_known(gains),
        'per_class': [
            {'count': int(count), 'dap': float(gain)}
            for count, gain in zip(counts, gains, strict=True)
        ],
    }


def _left(ignore: Flags, objects: Integers, chosen: Flags) -> Flags:
    """Return the objects that count and that none of those chosen is on."""
    left = ~ignore
    left[objects[chosen]] = False
    return left


def _sort_out(
    results: DetectionResults, overlaps: Overlaps, matching: Matching
) -> tuple[Integers, Integers]:
    """Return the kind of each prediction, -1 for none, and the object that it is on."""
    truth, predicted = results.truth, results.predicted
    size = len(predicted.score)
    pairs = overlaps.keep(~truth.ignore[overlaps.truth])
    same = predicted.label[pairs.predicted] == truth.label[pairs.truth]
    own, other = _best(pairs.keep(same), size), _best(pairs.keep(~same), size)
    tests = [
        matching.found | matching.ignored,
        (own.iou >= LOWEST) & (own.iou < IOU),
        other.iou >= IOU,
        own.iou >= IOU,
        other.iou >= LOWEST,
    ]
    codes = [-1, LOCALISATION, CLASS, DUPLICATE, BOTH]
    kinds = np.select(tests, codes, default=BACKGROUND)
    return kinds, np.where(kinds == CLASS, other.truth, own.truth)


def _best(pairs: Overlaps, size: int) -> _Best:
    """Return the pair of each prediction that overlaps most, the first of equals."""
    order = np.lexsort((pairs.truth, -pairs.iou, pairs.predicted))
    rows, first = np.unique(pairs.predicted[order], return_index=True)
    best = _Best(np.zeros(size), np.full(size, -1))
    best.iou[rows] = pairs.iou[order][first]
    best.truth[rows] = pairs.truth[order][first]
    return best


def _first_on_each(
    wrong: Flags, target: Integers, unfound: Flags, score: Floats
) -> Flags:
    """Choose the most confident of those wrong on each object that is not found."""
    rows = np.flatnonzero(wrong)
    rows = rows[unfound[target[rows]]]
    rows = rows[np.argsort(-score[rows], kind='stable')]
    _, first = np.unique(target[rows], return_index=True)
    right = np.zeros(len(wrong), dtype=bool)
    right[rows[first]] = True
    return right


def _average_precision(state: _State, score: Floats) -> Floats:
    """Return the area-AP50 of each class; NaN where there is no object."""
    order = np.argsort(-score, kind='stable')
    order = order[state.counts[order]]
    values = np.full(len(state.objects), np.nan)
    for label in np.flatnonzero(state.objects):
        rows = order[state.label[order] == label]
        one = Ranked(score[rows], state.found[rows], int(state.objects[label]))
        values[label] = area_under(one)
    return values
