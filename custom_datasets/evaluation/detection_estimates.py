"""Every metric of a detector that gets an interval, from the same resamples."""

from collections.abc import Callable
from typing import Any

import numpy as np

from custom_datasets.evaluation.average_precision import APTables, coco_summary
from custom_datasets.evaluation.bootstrap import bootstrap
from custom_datasets.evaluation.curves import rates
from custom_datasets.evaluation.matching import Matching
from custom_datasets.evaluation.results import DetectionResults, Floats
from custom_datasets.evaluation.thresholds import Choices, count, count_sizes

Metrics = Callable[[Floats], dict[str, Floats]]
"""Maps weights of images, of shape (images,), to arrays of metrics by name."""


def metrics(
    results: DetectionResults, matching: Matching, tables: APTables, choices: Choices
) -> Metrics:
    """Prepare all metrics for any weights of the images.

    Args:
        results: Truth and predictions.
        matching: Of each class by itself.
        tables: Of the results.
        choices: The thresholds to deploy.

    Returns:
        A function whose arrays are ``area_ap50`` (1 + classes,), ``coco`` (6,),
        ``coco_ap`` (ranges, classes), and rates, where the first axis is
        precision, recall and F1: ``overall`` (3,), ``per_class`` (3, classes),
        ``together`` (3,); and ``size_recall`` (sizes, 1 + classes), all classes
        first.
    """
    same = np.full(len(results.classes), choices.overall.threshold)
    overall = count(results, matching, same).sum(axis=2)
    per_class = count(results, matching, choices.of_classes)
    sizes = count_sizes(results, matching, choices.overall.threshold)
    sizes = np.concatenate([sizes.sum(axis=3, keepdims=True), sizes], axis=3)
    tables_of_counts = [table.astype(float) for table in (overall, per_class, sizes)]

    def measure(weights: Floats) -> dict[str, Floats]:
        grid = tables.coco_grid(weights)
        whole, single, sized = (
            np.tensordot(weights, table, axes=1) for table in tables_of_counts
        )
        return {
            'area_ap50': tables.ap50(weights),
            'coco': coco_summary(grid),
            'coco_ap': grid.mean(axis=2),
            'overall': np.array(rates(*whole)),
            'per_class': np.array(rates(*single)),
            'together': np.array(rates(*single.sum(axis=1))),
            'size_recall': rates(sized[0], 0 * sized[0], sized[1]).recall,
        }

    return measure


def estimates(
    measure: Metrics, images: int, resamples: int, seed: int
) -> dict[str, Any]:
    """Put intervals around all metrics.

    Args:
        measure: What :func:`metrics` returns.
        images: How many there are.
        resamples: How often they are drawn anew.
        seed: Of the drawing.

    Returns:
        For each name an array of the same shape, of estimates as dictionaries.
    """
    plain = measure(np.ones(images))

    def flat(weights: Floats) -> Floats:
        return np.concatenate([part.ravel() for part in measure(weights).values()])

    flat_estimates = iter(bootstrap(flat, images, resamples, seed))
    named = {}
    for name, part in plain.items():
        table = np.empty(part.size, dtype=object)
        for index in range(part.size):
            table[index] = next(flat_estimates).as_json()
        named[name] = table.reshape(part.shape)
    return named
