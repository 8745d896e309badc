"""All that is measured of a classifier: the report behind its page and report.json."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, TypedDict

import numpy as np

from custom_datasets.evaluation.answer_thresholds import (
    AnswerThresholds,
    answer_thresholds,
)
from custom_datasets.evaluation.calibration import Calibration, calibration
from custom_datasets.evaluation.classification import (
    Confused,
    Decisions,
    class_scores,
    confusion_matrix,
    decide,
    f1_estimate,
    frequent_confusions,
    overall_scores,
    share_estimate,
)
from custom_datasets.evaluation.intervals import (
    LEVEL,
    RESAMPLES,
    Estimate,
    Interval,
    Resampling,
    bootstrap,
)
from custom_datasets.evaluation.results import (
    ClassificationResults,
    Floats,
    Integers,
    require_same_classes,
)

_MOST_IMAGES = 24
_MOST_CONFUSIONS = 10


class ImageCount(TypedDict):
    """How many images a set has."""

    images: int


class OverallScores(TypedDict):
    """Scores of all classes together."""

    top1: Interval
    balanced_accuracy: Interval
    macro_f1: Interval


class ClassifiedClass(ImageCount):
    """One class: how many images it has, and how many are taken for it."""

    name: str
    predicted: int
    precision: Interval
    recall: Interval
    f1: Interval


class ConfusedClasses(TypedDict):
    """A row of ``counts`` for each true class, a column for each predicted one."""

    counts: list[list[int]]
    frequent: list[Confused]


class ClassifiedImage(TypedDict):
    """An image; ``confidence`` is the predicted class's, ``probability`` the true's."""

    image: str
    path: str
    index: int
    true: str
    predicted: str
    confidence: float
    probability: float


class Mistakes(TypedDict):
    """How many images are wrong, and those of the highest confidence."""

    count: int
    confident: list[ClassifiedImage]


class ClassificationReport(ImageCount):
    """Everything that is measured of a classifier on a test set, ready for JSON.

    Shares are 0 to 1, labels are names. ``unsure`` are right images, the least sure
    first; ``typical`` is the surest right image of each class.
    """

    task: Literal['classification']
    classes: list[str]
    validation: ImageCount | None
    interval: Resampling
    overall: OverallScores
    per_class: list[ClassifiedClass]
    confusion: ConfusedClasses
    calibration: Calibration
    thresholds: AnswerThresholds
    mistakes: Mistakes
    unsure: list[ClassifiedImage]
    typical: list[ClassifiedImage]


def classification_report(
    test: ClassificationResults,
    val: ClassificationResults | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ClassificationReport:
    """Measure everything on the test set, with choices made on the validation set.

    Raises:
        UserError: Scores are not probabilities, or the sets have different classes.
    """
    require_same_classes(test, val)
    decisions = decide(test)
    matrix = confusion_matrix(decisions)
    wrong = np.flatnonzero(~decisions.correct)
    right = np.flatnonzero(decisions.correct)
    surest = wrong[np.argsort(-decisions.confidence[wrong], kind='stable')]
    unsure = right[np.argsort(decisions.confidence[right], kind='stable')]
    # The first of each class, counted from the surest.
    _, first = np.unique(decisions.truth[unsure[::-1]], return_index=True)
    typical = unsure[::-1][first]
    return {
        'task': 'classification',
        'classes': list(test.classes),
        'images': len(test.images),
        'validation': None if val is None else {'images': len(val.images)},
        'interval': {'level': LEVEL, 'resamples': resamples, 'seed': seed},
        'overall': overall_estimates(decisions, resamples, seed),
        'per_class': _per_class(test.classes, decisions, matrix, resamples, seed),
        'confusion': {
            'counts': matrix.tolist(),
            'frequent': frequent_confusions(matrix, test.classes, _MOST_CONFUSIONS),
        },
        'calibration': calibration(test, val, resamples, seed),
        'thresholds': answer_thresholds(
            decisions, None if val is None else decide(val), resamples, seed
        ),
        'mistakes': {
            'count': len(wrong),
            'confident': _images(test, decisions, surest),
        },
        'unsure': _images(test, decisions, unsure),
        'typical': _images(test, decisions, typical),
    }


def overall_estimates(decisions: Decisions, resamples: int, seed: int) -> OverallScores:
    """Return the scores of all classes together, with intervals."""
    images = len(decisions.truth)
    metric = partial(overall_scores, decisions)
    top1, balanced, macro_f1 = bootstrap(metric, images, resamples, seed)
    return {
        'top1': share_estimate(top1, images).as_json(),
        'balanced_accuracy': _mean_estimate(balanced).as_json(),
        'macro_f1': _mean_estimate(macro_f1).as_json(),
    }


def _mean_estimate(mean: Estimate) -> Estimate:
    """Leave out the interval of 0 or 1: a mean over classes has no exact bound."""
    return Estimate(mean.value, np.nan, np.nan) if mean.value in (0, 1) else mean


def _per_class(
    classes: Sequence[str],
    decisions: Decisions,
    matrix: Integers,
    resamples: int,
    seed: int,
) -> list[ClassifiedClass]:
    def metric(weights: Floats) -> Floats:
        return class_scores(decisions, weights).ravel()

    estimates = bootstrap(metric, len(decisions.truth), resamples, seed)
    rows: list[ClassifiedClass] = []
    for index, name in enumerate(classes):
        precision, recall, f1 = estimates[index :: len(classes)]
        images = int(matrix[index].sum())
        predicted = int(matrix[:, index].sum())
        either = images + predicted - int(matrix[index, index])
        rows.append(
            {
                'name': name,
                'images': images,
                'predicted': predicted,
                'precision': share_estimate(precision, predicted).as_json(),
                'recall': share_estimate(recall, images).as_json(),
                'f1': f1_estimate(f1, either).as_json(),
            }
        )
    return rows


def _images(
    test: ClassificationResults, decisions: Decisions, rows: Integers
) -> list[ClassifiedImage]:
    return [
        {
            'image': test.images[index].key,
            'path': test.images[index].path,
            'index': int(index),
            'true': test.classes[test.truth[index]],
            'predicted': test.classes[decisions.predicted[index]],
            'confidence': round(float(decisions.confidence[index]), 6),
            'probability': round(float(test.scores[index, test.truth[index]]), 6),
        }
        for index in rows[:_MOST_IMAGES]
    ]
