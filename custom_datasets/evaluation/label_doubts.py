"""Annotations that confident predictions contradict: where labels may be wrong."""

from collections.abc import Iterator

import numpy as np

from custom_datasets.data.records import iou
from custom_datasets.evaluation.detection_errors import ImagePlace, image_place
from custom_datasets.evaluation.matching import IOU, Matching, Overlaps, areas
from custom_datasets.evaluation.results import DetectionResults, Flags, Floats, Integers

SHOWN = 12
"""Doubts of each kind."""

HIGH_RECALL = 0.9
"""Boxes without any prediction are doubted if this share of their class is found."""


class LabelDoubt(ImagePlace):
    """An annotation to look at; the predicted box contradicts it, where there is one.

    ``sure`` is the score of that, or the share of its class that is found.
    """

    kind: str
    box: list[float]
    sure: float
    score: float | None
    predicted: str | None
    annotated: str | None
    annotated_box: list[float] | None
    sentence: str


def label_doubts(
    results: DetectionResults,
    overlaps: Overlaps,
    matching: Matching,
    thresholds: Floats,
) -> list[LabelDoubt]:
    """List at most ``SHOWN`` doubtful annotations of each kind, the surest first.

    ``unlabelled``: a prediction where no annotated box of any class, ignored or
    not, has an IoU of 0.1. ``other-class``: a prediction with an IoU of at least
    0.5 with boxes of other classes only, where none of the annotated class is as
    confident. ``unsupported``: a box that no prediction overlaps with an IoU of
    0.1, though 90 % or more of its class are found. A prediction is believed if
    its score is at least the median of the right ones of its class, those from
    the deployed ``thresholds``, shape (classes,), on.
    """
    confident = _confident(results, matching, thresholds)
    doubts = [
        *_unlabelled(results, overlaps, confident),
        *_other_class(results, overlaps, confident),
        *_unsupported(results, overlaps, matching),
    ]
    return sorted(doubts, key=lambda doubt: -doubt['sure'])


def _unlabelled(
    results: DetectionResults, overlaps: Overlaps, confident: Floats
) -> Iterator[LabelDoubt]:
    predicted = results.predicted
    alone = np.ones(len(predicted.score), dtype=bool)
    alone[overlaps.predicted] = False
    taken: list[int] = []
    for row in _believed(results, alone, confident):
        rivals = [
            other for other in taken if predicted.image[other] == predicted.image[row]
        ]
        if not (iou(predicted.box[row], predicted.box[rivals]) >= IOU).any():
            taken.append(row)
        if len(taken) == SHOWN:
            break
    for row in taken:
        name, score = results.classes[predicted.label[row]], predicted.score[row]
        sentence = (
            f'Nothing is annotated here, but the model sees {name} '
            f'with a score of {score:.2f}.'
        )
        yield _contradiction(results, row, 'unlabelled', sentence, None)


def _other_class(
    results: DetectionResults, overlaps: Overlaps, confident: Floats
) -> Iterator[LabelDoubt]:
    truth, predicted = results.truth, results.predicted
    near = overlaps.keep(overlaps.iou >= IOU)
    same = predicted.label[near.predicted] == truth.label[near.truth]
    support = np.zeros(len(truth.label))
    agreeing = near.keep(same)
    np.maximum.at(support, agreeing.truth, predicted.score[agreeing.predicted])
    against = near.keep(~same & ~truth.ignore[near.truth])
    against = against.keep(np.lexsort((against.truth, -against.iou, against.predicted)))
    rows, first = np.unique(against.predicted, return_index=True)
    box = np.full(len(predicted.score), -1)
    box[rows] = against.truth[first]
    doubted = box >= 0
    doubted[agreeing.predicted] = False
    doubted[doubted] = predicted.score[doubted] > support[box[doubted]]
    taken: dict[int, int] = {}
    for row in _believed(results, doubted, confident):
        taken.setdefault(int(box[row]), row)
        if len(taken) == SHOWN:
            break
    for annotated, row in taken.items():
        name, score = results.classes[predicted.label[row]], predicted.score[row]
        sentence = (
            f'Annotated as {results.classes[truth.label[annotated]]}, but the model '
            f'sees {name} with a score of {score:.2f}.'
        )
        yield _contradiction(results, row, 'other-class', sentence, annotated)


def _unsupported(
    results: DetectionResults, overlaps: Overlaps, matching: Matching
) -> Iterator[LabelDoubt]:
    truth = results.truth
    classes = len(results.classes)
    objects = np.bincount(truth.label[~truth.ignore], minlength=classes)
    hits = truth.label[matching.truth[matching.found]]
    recall = np.bincount(hits, minlength=classes) / np.maximum(objects, 1)
    alone = ~truth.ignore & (recall[truth.label] >= HIGH_RECALL)
    alone[overlaps.truth] = False
    rows = np.flatnonzero(alone)
    # Of a class, the largest are the hardest to overlook.
    rows = rows[np.lexsort((-areas(truth.box)[rows], -recall[truth.label[rows]]))]
    for row in rows[:SHOWN]:
        label = truth.label[row]
        name, sure = results.classes[label], float(recall[label])
        yield {
            'kind': 'unsupported',
            **image_place(results, truth.image[row]),
            'box': truth.box[row].tolist(),
            'sure': sure,
            'score': None,
            'predicted': None,
            'annotated': name,
            'annotated_box': truth.box[row].tolist(),
            'sentence': f'Annotated as {name}, but there is no prediction here, not '
            f'even an unsure one, though {100 * sure:.0f} % of all {name} are found.',
        }


def _contradiction(
    results: DetectionResults,
    row: int,
    kind: str,
    sentence: str,
    annotated: int | None,
) -> LabelDoubt:
    truth, predicted = results.truth, results.predicted
    score, none = float(predicted.score[row]), annotated is None
    return {
        'kind': kind,
        **image_place(results, predicted.image[row]),
        'box': predicted.box[row].tolist(),
        'sure': score,
        'score': score,
        'predicted': results.classes[predicted.label[row]],
        'annotated': None if none else results.classes[truth.label[annotated]],
        'annotated_box': None if none else truth.box[annotated].tolist(),
        'sentence': sentence,
    }


def _confident(
    results: DetectionResults, matching: Matching, thresholds: Floats
) -> Floats:
    label, score = results.predicted.label, results.predicted.score
    right = matching.found & (score >= thresholds[label])
    scores = [score[right & (label == number)] for number in range(len(thresholds))]
    return np.array([np.median(own) if len(own) else np.inf for own in scores])


def _believed(results: DetectionResults, rows: Flags, confident: Floats) -> Integers:
    score = results.predicted.score
    believed = np.flatnonzero(rows & (score >= confident[results.predicted.label]))
    return believed[np.argsort(-score[believed], kind='stable')]
