"""What the folds say together: mean and spread, and all images out of fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from custom_datasets.evaluation.bootstrap import LEVEL, RESAMPLES
from custom_datasets.evaluation.predictions import (
    Samples,
    classification_results,
    detection_results,
    is_detection,
)
from custom_datasets.evaluation.results import Floats, Results
from custom_datasets.runs.compare_metrics import Measured, Metric, measure
from custom_datasets.runs.compare_text import (
    markdown_table,
    written,
    written_estimate,
)

NOTES = (
    'Each fold was tested on the images it held out, with its last checkpoint: the '
    'best one is chosen on these very images.',
    'std is the sample standard deviation over folds (n - 1): how far folds and their '
    'trainings differ, not how far the mean is known.',
    'Out of fold are all images together, each predicted by the model that did not '
    'train on it. Scores of all these models are ranked together there, so an AP need '
    'not be the mean of those of the folds.',
    'The interval covers which images were drawn, not the seed of the training.',
)


@dataclass(frozen=True)
class Summary:
    """The metrics of a cross-validation.

    Attributes:
        folds: Numbers of the folds that are done.
        images: How many images each was tested on.
        metrics: Which metrics.
        values: One a fold; each of shape (metrics,).
        pooled: All images together; None while folds are missing.
    """

    folds: tuple[int, ...]
    images: tuple[int, ...]
    metrics: tuple[Metric, ...]
    values: tuple[Floats, ...]
    pooled: Measured | None

    def spread(self, index: int) -> tuple[float, float]:
        """Return mean and sample standard deviation of a metric over the folds.

        Folds where it is not defined are left out; NaN where too few are left.
        """
        known = [float(row[index]) for row in self.values if not np.isnan(row[index])]
        mean = float(np.mean(known)) if known else np.nan
        return mean, float(np.std(known, ddof=1)) if len(known) > 1 else np.nan

    def as_json(self) -> dict[str, Any]:
        """Return it for a JSON file."""
        pooled = self.pooled.estimates() if self.pooled else None
        return {
            'folds': list(self.folds),
            'images': list(self.images),
            'interval': {'level': LEVEL, 'resamples': RESAMPLES},
            'notes': list(NOTES),
            'metrics': [
                {
                    'name': metric.name,
                    'class': metric.of,
                    'folds': [_rounded(row[index]) for row in self.values],
                    'mean': _rounded(self.spread(index)[0]),
                    'std': _rounded(self.spread(index)[1]),
                    'out_of_fold': pooled[index].as_json() if pooled else None,
                }
                for index, metric in enumerate(self.metrics)
            ],
        }

    def as_markdown(self, each_fold: bool = False) -> str:
        """Draw a table that is readable as it is, too.

        Args:
            each_fold: With a column a fold: wider than many a terminal.
        """
        pooled = self.pooled.estimates() if self.pooled else None
        folds = range(len(self.folds) if each_fold else 0)
        heads = ['', 'mean ± std']
        heads += [f'out of fold ({LEVEL:.0%} interval)'] if pooled else []
        rows = [[*heads, *(f'fold {self.folds[index]}' for index in folds)]]
        for index, metric in enumerate(self.metrics):
            mean, std = self.spread(index)
            row = [metric.text, f'{written(mean)} ± {written(std)}']
            row += [written_estimate(pooled[index])] if pooled else []
            rows.append([*row, *(written(self.values[f][index]) for f in folds)])
        row = ['images', ' + '.join(map(str, self.images))]
        row += [str(sum(self.images))] if pooled else []
        rows.append([*row, *(str(self.images[index]) for index in folds)])
        return markdown_table(rows)


def summarise(
    folds: Mapping[int, Samples], classes: Sequence[str], whole: int
) -> Summary:
    """Measure each fold, and all images together if no fold is missing.

    Args:
        folds: The predictions of each fold that is done, on what it held out.
        classes: Names of the classes.
        whole: How many folds there are in all.

    Raises:
        UserError: Predictions are without truth, or an image was held out twice.
    """
    results = {fold: _results(samples, classes) for fold, samples in folds.items()}
    single = {fold: measure(each, count=0) for fold, each in results.items()}
    pooled = None
    if len(folds) == whole:
        pooled = measure(_results(out_of_fold(folds), classes))
    return Summary(
        folds=tuple(folds),
        images=tuple(each.images for each in single.values()),
        metrics=next(iter(single.values())).metrics,
        values=tuple(each.values for each in single.values()),
        pooled=pooled,
    )


def out_of_fold(folds: Mapping[int, Samples]) -> Samples:
    """Put the predictions of all folds one after the other."""
    return [sample for samples in folds.values() for sample in samples]


def _results(samples: Samples, classes: Sequence[str]) -> Results:
    if is_detection(samples):
        return detection_results(samples, classes)
    return classification_results(samples, classes)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
