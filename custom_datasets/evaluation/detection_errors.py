"""What goes wrong, and how much average precision each kind of mistake costs.

After D. Bolya, S. Foley, J. Hays and J. Hoffman, "TIDE: A General Toolbox for
Identifying Object Detection Errors", ECCV 2020: each kind is repaired alone,
and what the average precision then gains is what the kind costs. Here that is
area-AP50 and its matching. The confusion of classes and the worst images are
those at the deployed threshold.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np

from custom_datasets.evaluation.average_precision import mean_defined
from custom_datasets.evaluation.matching import (
    IOU,
    LOWEST_IOU,
    Matching,
    Overlaps,
    match_any_class,
)
from custom_datasets.evaluation.results import DetectionResults, Flags, Floats, Integers
from custom_datasets.evaluation.thresholds import Ranked, area_under

KINDS = ('class', 'localisation', 'both', 'duplicate', 'background', 'missed')
"""The kinds of mistakes, in the order of these numbers.

class: on an object of another class (IoU of at least 0.5). localisation: the
class is right, but the IoU is only 0.1 to 0.5. both: the class is wrong too.
duplicate: the object was found before. background: no object has an IoU of 0.1.
missed: an object that no prediction would find with its class or its box
repaired.
"""

SHOWN = 12
"""Images of either end of the ranking."""

_CLASS, _LOCALISATION, _BOTH, _DUPLICATE, _BACKGROUND = range(5)


class ErrorCost(TypedDict):
    """How often a mistake is made, and the area-AP50 that is gained without it."""

    count: int
    dap: float | None


class ErrorKind(ErrorCost):
    """One of ``KINDS``; ``count`` at any score, ``deployed`` from the threshold on."""

    kind: str
    deployed: int
    per_class: list[ErrorCost]


class BoxErrors(TypedDict):
    """What each kind of mistake costs of the area-AP50."""

    iou_foreground: float
    iou_background: float
    area_ap50: float | None
    types: list[ErrorKind]


class ImagePlace(TypedDict):
    """An image: its key, path, index in the test set, and ``[width, height]``."""

    image: str
    path: str
    index: int
    size: list[int] | None


class TrueBox(TypedDict):
    """An annotated box with its verdict, and what the prediction on it says, if any."""

    label: str
    box: list[float]
    verdict: str
    taken_for: str | None
    score: float | None


class PredictedBox(TypedDict):
    """A predicted box: correct, confused, false or ignored."""

    label: str
    box: list[float]
    score: float
    verdict: str


class RankedImage(ImagePlace):
    """What is right and wrong on an image: counts, and all boxes with verdicts."""

    correct: int
    missed: int
    false: int
    confused: int
    f1: float
    truth: list[TrueBox]
    predicted: list[PredictedBox]


class RankedImages(TypedDict):
    """The images with the most mistakes, and others with the fewest.

    Counts and the verdicts of objects hold at the threshold. Predictions are listed
    from the score ``lowest`` on, so that a reader can ask for a lower threshold.
    """

    threshold: float
    lowest: float
    worst: list[RankedImage]
    best: list[RankedImage]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What each box turned out to be, whatever its class.

    Predictions are ``correct``, ``confused`` (on an object of another class), ``false``
    or ``dropped`` (below the threshold), objects ``missed`` or ``mistaken`` (confused).
    ``truth``, shape (predictions,), is the object that each is on; -1 for none.
    """

    threshold: float
    correct: Flags
    confused: Flags
    false: Flags
    dropped: Flags
    missed: Flags
    mistaken: Flags
    truth: Integers


def box_errors(
    results: DetectionResults,
    overlaps: Overlaps,
    matching: Matching,
    threshold: float,
) -> BoxErrors:
    """Sort the mistakes into kinds and repair each kind alone.

    Where a prediction fits several kinds, localisation goes before class and
    class before duplicate, as in the authors' program. Repairing classes or
    boxes turns the most confident prediction of that kind on each object that
    is not found into a right one and drops the others; all other false
    positives are dropped; missed objects are no longer counted. A class of
    which every object was missed then has an AP of 1.
    """
    truth, predicted = results.truth, results.predicted
    classes = len(results.classes)
    kinds, target = _sort_out(results, overlaps, matching)
    kept = predicted.score >= threshold
    unfound = _left(truth.ignore, matching.truth, matching.found)
    fixable = np.isin(kinds, [_CLASS, _LOCALISATION])
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
        repairable = wrong & (kind in (_CLASS, _LOCALISATION))
        right = _first_on_each(repairable, target, unfound)
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
        'iou_background': LOWEST_IOU,
        'area_ap50': mean_defined(base),
        'types': [
            _error_kind(kind, np.bincount(label, minlength=classes), number, gain)
            for kind, label, number, gain in zip(
                KINDS, labels, deployed, gains, strict=True
            )
        ],
    }


def judge(results: DetectionResults, overlaps: Overlaps, threshold: float) -> Verdicts:
    """Match without regard to classes and compare the classes then.

    Ignored boxes, and predictions on them, are neither right nor wrong.
    """
    truth, predicted = results.truth, results.predicted
    matching = match_any_class(results, overlaps, threshold)
    kept = predicted.score >= threshold
    same = np.append(truth.label, -1)[matching.truth] == predicted.label
    confused = matching.found & ~same
    missed, mistaken = ~truth.ignore, np.zeros(len(truth.label), dtype=bool)
    missed[matching.truth[matching.found]] = False
    mistaken[matching.truth[confused]] = True
    return Verdicts(
        threshold=threshold,
        correct=matching.found & same,
        confused=confused,
        false=kept & ~matching.found & ~matching.ignored,
        dropped=~kept,
        missed=missed,
        mistaken=mistaken,
        truth=matching.truth,
    )


def confusion_matrix(results: DetectionResults, verdicts: Verdicts) -> Integers:
    """Count true (rows) against predicted classes (columns), background last."""
    truth, predicted = results.truth, results.predicted
    background = len(results.classes)
    on_object = verdicts.correct | verdicts.confused
    missed, false = truth.label[verdicts.missed], predicted.label[verdicts.false]
    rows = [
        truth.label[verdicts.truth[on_object]],
        missed,
        np.full_like(false, background),
    ]
    columns = [predicted.label[on_object], np.full_like(missed, background), false]
    size = background + 1
    cells = np.concatenate(rows) * size + np.concatenate(columns)
    return np.bincount(cells, minlength=size * size).reshape(size, size)


def rank_images(
    results: DetectionResults, verdicts: Verdicts, unsure: Verdicts
) -> RankedImages:
    """List the images with most mistakes, and those with fewest.

    Mistakes are missed objects, false alarms and confused classes. Ties are decided
    by F1, where a confusion is both missed and false; then by the objects found;
    then by the order of the results. The worst all have a mistake, the best all
    have an object that is found. The boxes listed come from ``unsure``, verdicts at
    a lower threshold.
    """
    images = len(results.images)
    boxes = {
        'correct': results.predicted.image[verdicts.correct],
        'missed': results.truth.image[verdicts.missed],
        'false': results.predicted.image[verdicts.false],
        'confused': results.predicted.image[verdicts.confused],
    }
    count = {key: np.bincount(at, minlength=images) for key, at in boxes.items()}
    mistakes = count['missed'] + count['false'] + count['confused']
    right = 2 * count['correct']
    f1 = right / np.maximum(right + mistakes + count['confused'], 1)
    worst = np.lexsort((f1, -mistakes))[:SHOWN]
    worst = worst[mistakes[worst] > 0]
    best = np.lexsort((-right, -f1, mistakes))
    best = best[(right[best] > 0) & ~np.isin(best, worst)][:SHOWN]
    rows: list[RankedImage] = [
        {
            **image_place(results, index),
            'correct': int(count['correct'][index]),
            'missed': int(count['missed'][index]),
            'false': int(count['false'][index]),
            'confused': int(count['confused'][index]),
            'f1': float(f1[index]),
            'truth': _true_boxes(results, verdicts, unsure, index),
            'predicted': _predicted_boxes(results, unsure, index),
        }
        for index in (*worst, *best)
    ]
    return {
        'threshold': verdicts.threshold,
        'lowest': unsure.threshold,
        'worst': rows[: len(worst)],
        'best': rows[len(worst) :],
    }


def image_place(results: DetectionResults, index: int) -> ImagePlace:
    """Return key, path, index and size of an image."""
    image = results.images[index]
    return {
        'image': image.key,
        'path': image.path,
        'index': int(index),
        'size': list(image.size) if image.size else None,
    }


class _Best(NamedTuple):
    iou: Floats  # Shape (predictions,); 0 where nothing overlaps.
    truth: Integers  # Shape (predictions,); -1 there.


class _State(NamedTuple):
    label: Integers  # Shape (predictions,).
    found: Flags  # Shape (predictions,).
    counts: Flags  # Shape (predictions,).
    objects: Integers  # Shape (classes,).


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
        (own.iou >= LOWEST_IOU) & (own.iou < IOU),
        other.iou >= IOU,
        own.iou >= IOU,
        other.iou >= LOWEST_IOU,
    ]
    codes = [-1, _LOCALISATION, _CLASS, _DUPLICATE, _BOTH]
    kinds = np.select(tests, codes, default=_BACKGROUND)
    return kinds, np.where(kinds == _CLASS, other.truth, own.truth)


def _best(pairs: Overlaps, size: int) -> _Best:
    order = np.lexsort((pairs.truth, -pairs.iou, pairs.predicted))
    rows, first = np.unique(pairs.predicted[order], return_index=True)
    best = _Best(np.zeros(size), np.full(size, -1))
    best.iou[rows] = pairs.iou[order][first]
    best.truth[rows] = pairs.truth[order][first]
    return best


def _left(ignore: Flags, objects: Integers, rows: Flags) -> Flags:
    left = ~ignore
    left[objects[rows]] = False
    return left


def _first_on_each(wrong: Flags, target: Integers, unfound: Flags) -> Flags:
    """Choose the first, so the most confident, wrong one on each object not found."""
    rows = np.flatnonzero(wrong)
    rows = rows[unfound[target[rows]]]
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
        ranking = Ranked(score[rows], state.found[rows], int(state.objects[label]))
        values[label] = area_under(ranking)
    return values


def _error_kind(kind: str, counts: Integers, deployed: int, gains: Floats) -> ErrorKind:
    return {
        'kind': kind,
        'count': int(counts.sum()),
        'deployed': deployed,
        'dap': mean_defined(gains),
        'per_class': [
            {'count': int(count), 'dap': float(gain)}
            for count, gain in zip(counts, gains, strict=True)
        ],
    }


def _true_boxes(
    results: DetectionResults, verdicts: Verdicts, unsure: Verdicts, index: int
) -> list[TrueBox]:
    truth, predicted = results.truth, results.predicted
    matched = np.flatnonzero((predicted.image == index) & (unsure.truth >= 0))
    prediction = dict(zip(unsure.truth[matched].tolist(), matched, strict=True))
    rows = np.flatnonzero(truth.image == index)
    tests = [truth.ignore[rows], verdicts.missed[rows], verdicts.mistaken[rows]]
    verdict = np.select(tests, ['ignored', 'missed', 'confused'], default='found')
    boxes: list[TrueBox] = []
    for row, name in zip(rows.tolist(), verdict, strict=True):
        match = prediction.get(row)
        found = match is not None
        boxes.append(
            {
                'label': results.classes[truth.label[row]],
                'box': truth.box[row].tolist(),
                'verdict': str(name),
                'taken_for': results.classes[predicted.label[match]] if found else None,
                'score': float(predicted.score[match]) if found else None,
            }
        )
    return boxes


def _predicted_boxes(
    results: DetectionResults, verdicts: Verdicts, index: int
) -> list[PredictedBox]:
    predicted = results.predicted
    rows = np.flatnonzero((predicted.image == index) & ~verdicts.dropped)
    tests = [verdicts.correct[rows], verdicts.confused[rows], verdicts.false[rows]]
    verdict = np.select(tests, ['correct', 'confused', 'false'], default='ignored')
    return [
        {
            'label': results.classes[predicted.label[row]],
            'box': predicted.box[row].tolist(),
            'score': float(predicted.score[row]),
            'verdict': str(name),
        }
        for row, name in zip(rows, verdict, strict=True)
    ]
