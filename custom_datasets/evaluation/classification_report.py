"""All that is measured of a classifier: the report behind its page and report.json."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, TypedDict

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.calibration import (
    AnswerThresholds,
    Calibration,
    calibration,
    thresholds,
)
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
from custom_datasets.evaluation.results import ClassificationResults, Floats, Integers

_MOST_IMAGES = 24
_MOST_CONFUSIONS = 10


class Validation(TypedDict):
    """How many validation images there are."""

    images: int


class OverallScores(TypedDict):
    """Scores of all classes together."""

    top1: Interval
    balanced_accuracy: Interval
    macro_f1: Interval


class ClassifiedClass(TypedDict):
    """One class: how many images it has, and how many are taken for it."""

    name: str
    images: int
    predicted: int
    precision: Interval
    recall: Interval
    f1: Interval


class ConfusedClasses(TypedDict):
    """A row of ``counts`` for each true class, a column for each predicted one."""

    counts: list[list[int]]
    frequent: list[Confused]


class ClassifiedImage(TypedDict):
    """An image, by its key, its path and its place in the test set.

    ``confidence`` is the probability of the predicted class, ``probability`` that
    of the true one.
    """

    image: str
    path: str
    index: int
    true: str
    predicted: str
    confidence: float
    probability: float


class Mistakes(TypedDict):
    """How many images are wrong, and those of them that it is surest of."""

    count: int
    confident: list[ClassifiedImage]


class ClassificationReport(TypedDict):
    """Everything that is measured of a classifier on a test set, ready for JSON.

    Shares are 0 to 1, labels are names. ``unsure`` are images that are right, the
    least sure first; ``typical`` has the surest image of each class that is right.
    ``validation`` is None without such a set.
    """

    task: Literal['classification']
    classes: list[str]
    images: int
    validation: Validation | None
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
    """Evaluate a classifier.

    Args:
        test: What it predicts on the test set.
        val: What it predicts on the validation set; there the temperature and
            the thresholds are chosen. Without it there are none.
        resamples: How often to resample images for the intervals.
        seed: The same seed draws the same resamples.

    Raises:
        UserError: Scores are no probabilities, or the two sets have different
            classes.
    """
    if val is not None and val.classes != test.classes:
        raise UserError(
            f'validation has the classes {", ".join(val.classes)}, but the test set '
            f'has {", ".join(test.classes)}; take the predictions of one model'
        )
    decisions = decide(test)
    chosen_on = None if val is None else decide(val)
    matrix = confusion_matrix(decisions)
    wrong = np.flatnonzero(~decisions.correct)
    right = np.flatnonzero(decisions.correct)
    surest = wrong[np.argsort(-decisions.confidence[wrong], kind='stable')]
    unsure = right[np.argsort(decisions.confidence[right], kind='stable')]
    # The first of each class, counted from the surest.
    _, first = np.unique(decisions.truth[unsure[::-1]], return_index=True)
    typical = unsure[::-1][first[:_MOST_IMAGES]]
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
        'thresholds': thresholds(decisions, chosen_on, resamples, seed),
        'mistakes': {
            'count': len(wrong),
            'confident': _images(test, decisions, surest[:_MOST_IMAGES]),
        },
        'unsure': _images(test, decisions, unsure[:_MOST_IMAGES]),
        'typical': _images(test, decisions, typical),
    }


def overall_estimates(decisions: Decisions, resamples: int, seed: int) -> OverallScores:
    """Return the estimates of ``overall``, by name."""
    images = len(decisions.truth)
    metric = partial(overall_scores, decisions)
    top1, balanced, macro_f1 = bootstrap(metric, images, resamples, seed)
    return {
        'top1': share_estimate(top1, images).as_json(),
        'balanced_accuracy': _mean_estimate(balanced).as_json(),
        'macro_f1': _mean_estimate(macro_f1).as_json(),
    }


def _mean_estimate(mean: Estimate) -> Estimate:
    """Leave out the interval where there is no mistake, or nothing else, to resample.

    For a mean over classes there is no exact bound as for a share.
    """
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

    found = bootstrap(metric, len(decisions.truth), resamples, seed)
    rows: list[ClassifiedClass] = []
    for index, name in enumerate(classes):
        precision, recall, f1 = found[index :: len(classes)]
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
    test: ClassificationResults, decisions: Decisions, chosen: Integers
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
        for index in chosen
    ]
