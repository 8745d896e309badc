"""A run's metrics on its test set, with the draws that intervals come from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.classification import (
    class_scores,
    decide,
    overall_scores,
)
from custom_datasets.evaluation.intervals import RESAMPLES, Estimate, estimate, resample
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Floats,
    Results,
)


class Metric(NamedTuple):
    """A metric, 0 to 1, more is better; ``of`` one class, or of all where None."""

    name: str
    of: str | None

    @property
    def text(self) -> str:
        """Its name, followed by the class."""
        return self.name if self.of is None else f'{self.name} {self.of}'


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics of one run on its test set; runs are ranked by the first.

    Attributes:
        values: Shape (metrics,); NaN where a class is not in the test set.
        draws: Shape (resamples, metrics).
    """

    metrics: tuple[Metric, ...]
    images: int
    values: Floats
    draws: Floats

    def estimates(self) -> list[Estimate]:
        """Return each metric with its interval."""
        return _estimates(self.values, self.draws)

    def minus(self, other: 'Measured') -> list[Estimate]:
        """Return the paired differences to another run on the same images.

        Both were measured on the same draws, so an image that is hard for both cancels
        out.
        """
        return _estimates(self.values - other.values, self.draws - other.draws)


def measure(results: Results, count: int = RESAMPLES, seed: int = 0) -> Measured:
    """Compute the metrics of a run on its test set, and on resamples of it.

    Detection: area-AP50 and COCO AP, mean and of each class. Classification:
    top-1, balanced accuracy, macro F1, and F1 of each class. The same seed draws
    the same images from sets of equal length.
    """
    metrics, value_of = (
        _detection(results)
        if isinstance(results, DetectionResults)
        else _classification(results)
    )
    images = len(results.images)
    draws = [
        value_of(weights.astype(float)) for weights in resample(images, count, seed)
    ]
    return Measured(
        metrics,
        images,
        value_of(np.ones(images)),
        np.array(draws).reshape(count, len(metrics)),
    )


_Metrics = tuple[tuple[Metric, ...], Callable[[Floats], Floats]]


def _detection(results: DetectionResults) -> _Metrics:
    tables = ap_tables(results)
    classes = len(results.classes)

    def value_of(weights: Floats) -> Floats:
        ap50, coco = tables.ap50(weights), tables.coco_ap(weights)
        per_class = np.stack([ap50[1:], coco[-classes:]], axis=1)
        return np.concatenate([[ap50[0], coco[0]], per_class.ravel()])

    names = ('area-AP50', 'COCO AP')
    metrics = (Metric(name, of) for of in (None, *results.classes) for name in names)
    return tuple(metrics), value_of


def _classification(results: ClassificationResults) -> _Metrics:
    decisions = decide(results)

    def value_of(weights: Floats) -> Floats:
        f1 = class_scores(decisions, weights)[2]
        return np.concatenate([overall_scores(decisions, weights), f1])

    overall = ('top-1', 'balanced accuracy', 'macro F1')
    metrics = tuple(Metric(name, None) for name in overall)
    return (*metrics, *(Metric('F1', of) for of in results.classes)), value_of


def _estimates(values: Floats, draws: Floats) -> list[Estimate]:
    return [
        estimate(float(value), column)
        for value, column in zip(values, draws.T, strict=True)
    ]
