"""What the model takes for what, from the deployed threshold on."""

from dataclasses import dataclass

import numpy as np

from custom_datasets.evaluation.matching import match_any_class
from custom_datasets.evaluation.overlaps import Overlaps
from custom_datasets.evaluation.results import DetectionResults, Flags, Integers

BACKGROUND = 'background'


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What each box turned out to be, whatever its class.

    Attributes:
        correct: Shape (predictions,), on an object of its class.
        confused: Shape (predictions,), on an object of another class.
        false: Shape (predictions,), on no object.
        dropped: Shape (predictions,), below the threshold.
        missed: Shape (objects,), without a prediction.
        mistaken: Shape (objects,), with a confused prediction.
        truth: Shape (predictions,), index of the object that each is on; -1: none.
    """

    correct: Flags
    confused: Flags
    false: Flags
    dropped: Flags
    missed: Flags
    mistaken: Flags
    truth: Integers


def judge(results: DetectionResults, overlaps: Overlaps, threshold: float) -> Verdicts:
    """Match without regard to classes and compare the classes then.

    The most confident prediction takes the object that it overlaps most, from
    IoU 0.5 on; ignored boxes, and predictions on them, are neither right nor wrong.
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
        correct=matching.found & same,
        confused=confused,
        false=kept & ~matching.found & ~matching.ignored,
        dropped=~kept,
        missed=missed,
        mistaken=mistaken,
        truth=matching.truth,
    )


def confusion_matrix(results: DetectionResults, verdicts: Verdicts) -> Integers:
    """Count true against predicted classes.

    Returns:
        Shape (classes + 1, classes + 1), a row for each true class, a column
        for each predicted one. Background comes last: its row holds false
        alarms, its column missed objects.
    """
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
