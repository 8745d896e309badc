"""How good models and their ensemble are, and the table of it."""

from collections.abc import Callable, Sequence

import numpy as np

from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.bootstrap import Estimate, estimate, resample
from custom_datasets.evaluation.calibration import log_probabilities, true_class_loss
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Floats,
    Results,
)

Metric = Callable[[Floats], Floats]
"""Maps how often each image counts to the two scores of ``score_names``."""


def score_names(results: Results) -> tuple[str, str]:
    """Name the scores; the first one is what a search makes large, or NLL small."""
    detects = isinstance(results, DetectionResults)
    return ('COCO AP', 'area-AP50') if detects else ('NLL', 'accuracy')


def metric_of(results: Results) -> Metric:
    """Match and sort once, for any weights of the images.

    Raises:
        UserError: The scores of an image are no probabilities.
    """
    if isinstance(results, ClassificationResults):
        loss = true_class_loss(log_probabilities(results.scores), results.truth)
        columns: Floats = np.stack([loss, decide(results).correct.astype(float)])
        return lambda weights: columns @ weights / weights.sum()
    tables = ap_tables(results)
    return lambda weights: np.array(
        [tables.coco_ap(weights)[0], tables.ap50(weights)[0]]
    )


def value_of(results: Results) -> float:
    """Return what a search makes large: COCO AP, or the likelihood."""
    value = float(metric_of(results)(np.ones(len(results.images)))[0])
    return value if isinstance(results, DetectionResults) else -value


def score_table(names: Sequence[str], results: Sequence[Results]) -> str:
    """Write a table of the models, the ensemble and what it adds.

    Intervals are of 95 %, from resampling images; the difference is between
    what the same resamples give, so it can be clear where intervals overlap.

    Args:
        names: One a model, and the ensemble's last.
        results: Theirs, on the same images, with truth.
    """
    metrics = [metric_of(one) for one in results]
    images = len(results[0].images)
    plain = np.array([metric(np.ones(images)) for metric in metrics])
    drawn = np.array(
        [
            [metric(weights.astype(float)) for metric in metrics]
            for weights in resample(images)
        ]
    )
    rows = list(zip(names, plain, np.moveaxis(drawn, 0, 2), strict=True))
    heads = score_names(results[0])
    single = plain[:-1, 0] if heads[0] != 'NLL' else -plain[:-1, 0]
    best = int(np.argmax(single))
    _, value, resampled = rows[-1]
    _, other, others = rows[best]
    what = 'it' if len(results) == 2 else 'the best'
    rows.append((f'ensemble - {what}', value - other, resampled - others))
    width = max(len(row[0]) for row in rows)
    lines = [f'{"":{width}}' + ''.join(f'  {head:24}' for head in heads)]
    for number, (name, values, resampled) in enumerate(rows):
        sign = '+' if number == len(results) else ''
        cells = [
            _cell(estimate(float(value), column), sign)
            for value, column in zip(values, resampled, strict=True)
        ]
        lines.append(f'{name:{width}}' + ''.join(f'  {cell:24}' for cell in cells))
    return '\n'.join(line.rstrip() for line in lines)


def _cell(found: Estimate, sign: str) -> str:
    value, low, high = (f'{number:{sign}.3f}' for number in found)
    return f'{value} [{low}, {high}]'
