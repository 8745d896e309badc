"""The metrics that runs are compared by, under weights of images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.bootstrap import (
    RESAMPLES,
    Estimate,
    estimate,
    resample,
)
from custom_datasets.evaluation.classification import (
    class_scores,
    decide,
    overall_scores,
)
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Floats,
    Results,
)


class Metric(NamedTuple):
    """A metric, 0 to 1, more is better.

    Attributes:
        name: What it is called.
        of: The class that it is of; None for all of them.
    """

    name: str
    of: str | None

    @property
    def text(self) -> str:
        """Its name with that of the class."""
        return self.name if self.of is None else f'{self.name} {self.of}'


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics of one run, on its test set and on draws from it.

    Attributes:
        metrics: Which ones; the first is the one to rank by.
        images: How many images the test set has.
        values: Shape (metrics,); NaN where a class is not in the test set.
        draws: Shape (resamples, metrics), the same on each resample.
    """

    metrics: tuple[Metric, ...]
    images: int
    values: Floats
    draws: Floats

    def estimates(self) -> list[Estimate]:
        """Return each metric with its interval."""
        return [
            estimate(float(value), column)
            for value, column in zip(self.values, self.draws.T, strict=True)
        ]

    def minus(self, other: 'Measured') -> list[Estimate]:
        """Return the paired differences to another run on the same images.

        Both runs were measured on the same draws, so what makes an image hard
        for both is in both, and falls out of the difference.
        """
        differences = (self.values - other.values, (self.draws - other.draws).T)
        return [
            estimate(float(value), column)
            for value, column in zip(*differences, strict=True)
        ]


def measure(results: Results, count: int = RESAMPLES, seed: int = 0) -> Measured:
    """Compute the metrics of a run on its test set, and on resamples of it.

    Detection: area-AP50 and COCO AP, mean and of each class. Classification:
    top-1, balanced accuracy, macro F1, and F1 of each class.

    Args:
        results: What the run predicts, and the truth.
        count: How many resamples.
        seed: The same seed draws the same images of equally many.
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
