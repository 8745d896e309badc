"""What the runner logs of a classifier, by class, by source and by attribute."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpretrain.evaluation import ConfusionMatrix, SingleLabelMetric
from mmpretrain.registry import METRICS

from custom_datasets.data.origins import find_sources
from custom_datasets.evaluation.classification import (
    attribute_report,
    usable_attributes,
)
from custom_datasets.evaluation.intervals import Interval
from custom_datasets.text import aligned

ITEMS = ('precision', 'recall', 'f1-score')


@METRICS.register_module()
class ClasswiseMetric(SingleLabelMetric):  # type: ignore[misc]
    """Per-class precision, recall and F1 in percent, and a confusion matrix.

    The metrics are ``<item>_<class>``, ``<item>`` (the mean over the classes that
    have images) and ``confusion_matrix``, a list with a row for each true class and
    a column for each predicted one. The same is logged as a table.

    A class without an image is NaN and left out of the means: if it counted as zero,
    they would depend on the choice of images. One that has images and is never
    predicted has a precision of 0.
    """

    default_prefix = 'classwise'

    def compute_metrics(self, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the metrics, from ``pred_score`` (classes,) and ``gt_label`` (1,)."""
        classes = self.dataset_meta['classes']
        scores = torch.stack([result['pred_score'] for result in results])
        target = torch.cat([result['gt_label'] for result in results])
        values = self.calculate(scores, target, average=None)[0][: len(ITEMS)]
        matrix = ConfusionMatrix.calculate(scores, target).tolist()
        present = set(target.tolist())
        metrics: dict[str, Any] = {}
        for item, per_class in zip(ITEMS, values, strict=True):
            metrics[item] = float(per_class[sorted(present)].mean())
            for index, name in enumerate(classes):
                value = float(per_class[index]) if index in present else math.nan
                metrics[f'{item}_{name}'] = value
        metrics['confusion_matrix'] = matrix
        print_log('\n' + _confusion_table(classes, matrix, metrics), logger='current')
        return metrics


def _confusion_table(
    classes: Sequence[str], matrix: Sequence[Sequence[int]], metrics: dict[str, Any]
) -> str:
    rows = [['true \\ predicted', *classes, *ITEMS]]
    for name, row in zip(classes, matrix, strict=True):
        values = [metrics[f'{item}_{name}'] for item in ITEMS]
        marks = ['-' if math.isnan(value) else f'{value:.1f}' for value in values]
        rows.append([name, *map(str, row), *marks])
    return '\n'.join(aligned(rows))


@METRICS.register_module()
class SourceMetric(BaseMetric):  # type: ignore[misc]
    """Top-1 and mean recall in percent of the images of each source.

    The metrics are ``top1_<source>`` and ``recall_<source>``; there are none without
    a ``sources.txt`` (:mod:`custom_datasets.data.origins`).
    """

    default_prefix = 'source'

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the path, the true and the predicted class of each image."""
        for sample in data_samples:
            predicted = int(sample['pred_score'].argmax())
            truth = int(sample['gt_label'])
            self.results.append((sample['img_path'], truth, predicted))

    def compute_metrics(
        self, results: Sequence[tuple[str, int, int]]
    ) -> dict[str, Any]:
        """Return the metrics, from what :meth:`process` keeps."""
        paths, truth, predicted = zip(*results, strict=True)
        sources = find_sources(paths)
        true, right = np.array(truth), np.equal(truth, predicted)
        metrics = {}
        for name in sorted({source for source in sources if source}):
            own = np.array([source == name for source in sources])
            recalls = [right[own & (true == k)].mean() for k in np.unique(true[own])]
            metrics[f'top1_{name}'] = 100 * float(right[own].mean())
            metrics[f'recall_{name}'] = 100 * float(np.mean(recalls))
        return metrics


@METRICS.register_module()
class AttributeMetric(SingleLabelMetric):  # type: ignore[misc]
    """How far each attribute of the classes is right.

    The attributes are those of the data set's ``METAINFO`` that name all classes.
    The metrics are ``<attribute>_accuracy`` and, where values are numbers,
    ``<attribute>_within_one``, both in percent, and in the unit of the values
    ``<attribute>_error`` (the mean absolute one) with its 95 % interval from
    ``<attribute>_error_low`` to ``..._high``, and ``<attribute>_expected_error``.
    """

    default_prefix = 'attribute'

    def compute_metrics(self, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the metrics, from ``pred_score`` (classes,) and ``gt_label`` (1,)."""
        classes = self.dataset_meta['classes']
        declared = self.dataset_meta.get('attributes')
        attributes = usable_attributes(declared, classes)
        for name in set(declared or ()) - set(attributes):
            print_log(
                f'attribute {name}: not measured, since some class has no value for it',
                logger='current',
                level=logging.WARNING,
            )
        scores = np.stack(
            [np.asarray(result['pred_score'], float) for result in results]
        )
        truth = np.array([int(result['gt_label']) for result in results])
        metrics: dict[str, float | None] = {}
        for row in attribute_report(attributes, classes, truth, scores):
            name = row['name']
            metrics[f'{name}_accuracy'] = _percent(row['accuracy'])
            if 'within_one' in row:
                metrics[f'{name}_within_one'] = _percent(row['within_one'])
                error = row['mean_absolute_error']
                metrics[f'{name}_error'] = error['value']
                metrics[f'{name}_error_low'] = error['low']
                metrics[f'{name}_error_high'] = error['high']
                metrics[f'{name}_expected_error'] = row['expected_error']['value']
        return {key: value for key, value in metrics.items() if value is not None}


def _percent(share: Interval) -> float | None:
    return None if share['value'] is None else 100 * share['value']
