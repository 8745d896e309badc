"""What a classifier gets right: each class, each attribute, and who is confused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.intervals import (
    LEVEL,
    Estimate,
    Interval,
    bootstrap,
)
from custom_datasets.evaluation.results import (
    ClassificationResults,
    Flags,
    Floats,
    Integers,
)

_SUM_ERROR = 1e-3
"""Half precision sums a thousand probabilities to within this."""


class Confused(TypedDict):
    """A class that is taken for another; ``share`` is of the true class's images."""

    true: str
    predicted: str
    images: int
    share: float


class _Attribute(TypedDict):
    name: str
    accuracy: Interval


class AttributeRow(_Attribute, total=False):
    """How far an attribute is right; only accuracy where its values are not numbers.

    ``within_one`` is the share of images off by at most 1. The errors are in the
    attribute's unit: the mean absolute one of the most probable class, and that of
    the mean of all values weighted by probability.
    """

    within_one: Interval
    mean_absolute_error: Interval
    expected_error: Interval


Attributes = Mapping[str, Mapping[str, Any]]
"""The value of each class, by the attribute's name and the class's."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """The most probable class of each image, the first of several; shape (images,)."""

    classes: int
    truth: Integers
    predicted: Integers
    confidence: Floats

    @property
    def correct(self) -> Flags:
        """Shape (images,), whether the decision is the true class."""
        return np.equal(self.truth, self.predicted)


def decide(results: ClassificationResults) -> Decisions:
    """Take the most probable class; a UserError where scores are not probabilities."""
    scores = results.scores
    sound = (scores >= 0).all(axis=1) & (abs(scores.sum(axis=1) - 1) < _SUM_ERROR)
    if not sound.all():
        image = results.images[int(np.argmin(sound))]
        raise UserError(
            f'{image.path or image.key}: its scores are not probabilities that sum to '
            '1; only classifiers with a softmax, of one class per image, are supported'
        )
    predicted = scores.argmax(axis=1)
    confidence = np.take_along_axis(scores, predicted[:, None], axis=1)[:, 0]
    return Decisions(len(results.classes), results.truth, predicted, confidence)


def class_scores(decisions: Decisions, weights: Floats) -> Floats:
    """Return precision, recall and F1, 0 to 1, of shape (3, classes).

    F1 is 2 TP / (2 TP + FP + FN), as C. J. van Rijsbergen, "Information
    Retrieval" (1979), weighs both the same. ``weights``, shape (images,), say how
    often each image counts. Precision is NaN for a class that is never predicted,
    recall and F1 for one without images.
    """
    count, correct = decisions.classes, decisions.correct
    true = np.bincount(decisions.truth, weights, count)
    predicted = np.bincount(decisions.predicted, weights, count)
    hits = np.bincount(decisions.truth[correct], weights[correct], count)
    with np.errstate(invalid='ignore', divide='ignore'):
        f1 = np.where(true > 0, 2 * hits / (true + predicted), np.nan)
        return np.array([hits / predicted, hits / true, f1])


def overall_scores(decisions: Decisions, weights: Floats) -> Floats:
    """Return top-1, balanced accuracy and macro F1, shape (3,), 0 to 1.

    Balanced accuracy is the mean of the classes' recalls (K. H. Brodersen et
    al., "The Balanced Accuracy and Its Posterior Distribution", ICPR 2010),
    macro F1 that of their F1; classes without images are left out of both.
    """
    top1 = (weights * decisions.correct).sum() / weights.sum()
    _, recall, f1 = class_scores(decisions, weights)
    return np.array([top1, np.nanmean(recall), np.nanmean(f1)])


def share_estimate(estimate: Estimate, count: int) -> Estimate:
    """Put an interval around a share of 0 or 1, where resampling sees no spread.

    If none of 12 answers is wrong, none is in any resample; yet that supports no
    more than an accuracy of 73.5 %. The bound is the exact one of C. J. Clopper and
    E. S. Pearson, "The Use of Confidence or Fiducial Limits", Biometrika 26 (1934),
    for a share of ``count`` images.
    """
    reach = ((1 - LEVEL) / 2) ** (1 / max(count, 1))
    if estimate.value == 1:
        return Estimate(1.0, reach, 1.0)
    if estimate.value == 0:
        return Estimate(0.0, 0.0, 1 - reach)
    return estimate


def f1_estimate(estimate: Estimate, count: int) -> Estimate:
    """Do the same for F1, which is 2 J / (1 + J) for J = TP / (TP + FP + FN)."""
    if estimate.value not in (0, 1):
        return estimate
    return Estimate(*(2 * j / (1 + j) for j in share_estimate(estimate, count)))


def confusion_matrix(decisions: Decisions) -> Integers:
    """Count images by true class (rows) and predicted class (columns)."""
    count = decisions.classes
    cell = decisions.truth * count + decisions.predicted
    return np.bincount(cell, minlength=count * count).reshape(count, count)


def frequent_confusions(
    matrix: Integers, classes: Sequence[str], most: int
) -> list[Confused]:
    """List which class is taken for which, the most frequent first."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind='stable')[:most]
    pairs = [divmod(int(cell), len(classes)) for cell in order]
    return [
        {
            'true': classes[true],
            'predicted': classes[predicted],
            'images': int(wrong[true, predicted]),
            'share': round(float(wrong[true, predicted] / matrix[true].sum()), 6),
        }
        for true, predicted in pairs
        if wrong[true, predicted]
    ]


def usable_attributes(
    attributes: Attributes | None, classes: Sequence[str]
) -> Attributes:
    """Return the attributes with a value for every class; a config may add classes."""
    return {
        name: values
        for name, values in (attributes or {}).items()
        if all(label in values for label in classes)
    }


def attribute_report(
    attributes: Attributes,
    classes: Sequence[str],
    truth: Integers,
    scores: Floats,
) -> list[AttributeRow]:
    """Evaluate each attribute from the scores, shape (images, classes)."""
    predicted = scores.argmax(axis=1)
    rows: list[AttributeRow] = []
    for name, values in attributes.items():
        of_class = [values[label] for label in classes]
        numeric = all(isinstance(value, (int, float)) for value in of_class)
        codes = np.asarray(of_class, float) if numeric else _numbered(of_class)
        off = abs(codes[predicted] - codes[truth])
        columns = [off == 0]
        if numeric:
            expected = abs(scores @ codes - codes[truth])
            columns += [off <= 1, off, expected]
        table = np.stack(columns, axis=1).astype(float)
        estimates = bootstrap(partial(_means, table), len(truth))
        shares = [share_estimate(share, len(truth)) for share in estimates[:2]]
        row: AttributeRow = {'name': name, 'accuracy': shares[0].as_json()}
        if numeric:
            row['within_one'] = shares[1].as_json()
            row['mean_absolute_error'] = _error(estimates[2]).as_json()
            row['expected_error'] = _error(estimates[3]).as_json()
        rows.append(row)
    return rows


def _numbered(values: Sequence[Any]) -> Floats:
    distinct = list(dict.fromkeys(values))
    return np.array([distinct.index(value) for value in values], float)


def _means(table: Floats, weights: Floats) -> Floats:
    means: Floats = weights @ table / weights.sum()
    return means


def _error(error: Estimate) -> Estimate:
    return Estimate(0.0, np.nan, np.nan) if error.value == 0 else error
