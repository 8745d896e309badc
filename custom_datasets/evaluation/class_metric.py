"""Precision, recall and F1 for each class under its name, and who is confused."""

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

    The metrics are ``<item>_<class>`` and ``<item>`` (the mean over classes),
    and ``confusion_matrix``: a list of rows, one a true class, of counts, one
    a predicted class. The same is logged as a table.
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
        metrics: dict[str, Any] = {}
        for item, per_class in zip(ITEMS, values, strict=True):
            metrics[item] = float(per_class.mean())
            for name, value in zip(classes, per_class.tolist(), strict=True):
                metrics[f'{item}_{name}'] = value
        metrics['confusion_matrix'] = matrix
        print_log('\n' + confusion_table(classes, matrix, metrics), logger='current')
        return metrics


def confusion_table(
    classes: Sequence[str], matrix: Sequence[Sequence[int]], metrics: dict[str, Any]
) -> str:
    """Draw the confusion matrix with each class's precision, recall and F1."""
    width = max(len(name) for name in (*classes, 'true \\ predicted'))
    digits = len(str(max(map(max, matrix))))
    columns = [max(len(name), digits) for name in classes]
    head = '  '.join(n.rjust(w) for n, w in zip(classes, columns, strict=True))
    corner = 'true \\ predicted'.ljust(width)
    lines = [f'{corner}  {head}  precision  recall  f1-score']
    for name, row in zip(classes, matrix, strict=True):
        cells = '  '.join(str(n).rjust(w) for n, w in zip(row, columns, strict=True))
        marks = '  '.join(
            f'{metrics[f"{item}_{name}"]:{max(len(item), 6)}.1f}' for item in ITEMS
        )
        lines.append(f'{name:{width}}  {cells}  {marks}')
    return '\n'.join(lines)
