"""Precision, recall and F1 for each class under its name, and who is confused."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmpretrain.evaluation import ConfusionMatrix, SingleLabelMetric
from mmpretrain.registry import METRICS

ITEMS = ('precision', 'recall', 'f1-score')


@METRICS.register_module()
class ClasswiseMetric(SingleLabelMetric):  # type: ignore[misc]
    """Per-class precision, recall and F1 in percent, and a confusion matrix.

    The metrics are ``<item>_<class>`` and ``<item>``, the mean over the classes
    that have images, and ``confusion_matrix``: a list of rows, one a true class,
    of counts, one a predicted class. The same is logged as a table.

    A class without an image is NaN and out of the means, as in
    :func:`custom_datasets.evaluation.classification.overall_scores`: with zeros
    for it they would fall with the choice of images. One that has images and is
    never predicted has a precision of 0.
    """

    default_prefix = 'classwise'

    def compute_metrics(self, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Evaluate all images.

        Args:
            results: For each image ``pred_score``, of shape (classes,), and
                ``gt_label``, of shape (1,).
        """
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
        print_log('\n' + confusion_table(classes, matrix, metrics), logger='current')
        return metrics


def confusion_table(
    classes: Sequence[str], matrix: Sequence[Sequence[int]], metrics: dict[str, Any]
) -> str:
    """Draw the confusion matrix with each class's precision, recall and F1.

    NaN is a hyphen.
    """
    width = max(len(name) for name in (*classes, 'true \\ predicted'))
    digits = len(str(max(map(max, matrix))))
    columns = [max(len(name), digits) for name in classes]
    head = '  '.join(n.rjust(w) for n, w in zip(classes, columns, strict=True))
    corner = 'true \\ predicted'.ljust(width)
    lines = [f'{corner}  {head}  precision  recall  f1-score']
    for name, row in zip(classes, matrix, strict=True):
        cells = '  '.join(str(n).rjust(w) for n, w in zip(row, columns, strict=True))
        values = [metrics[f'{item}_{name}'] for item in ITEMS]
        marks = '  '.join(
            ('-' if math.isnan(value) else f'{value:.1f}').rjust(max(len(item), 6))
            for item, value in zip(ITEMS, values, strict=True)
        )
        lines.append(f'{name:{width}}  {cells}  {marks}')
    return '\n'.join(lines)
