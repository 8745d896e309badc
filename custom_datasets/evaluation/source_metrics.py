"""A classifier on each source of images, and on what its classes stand for."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpretrain.evaluation import SingleLabelMetric
from mmpretrain.registry import METRICS

from custom_datasets.evaluation.attributes import attribute_report, usable_attributes
from custom_datasets.evaluation.sources import find_sources


@METRICS.register_module()
class SourceMetric(BaseMetric):  # type: ignore[misc]
    """Top-1 and mean recall in percent of the images of each source.

    The sources come from ``sources.txt``
    (:mod:`custom_datasets.evaluation.sources`). The metrics are ``top1_<source>``
    and ``recall_<source>``: the mean over the classes that the source has. There
    are none without such a list.
    """

    default_prefix = 'source'

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep what is said of a batch."""
        for sample in data_samples:
            predicted = int(sample['pred_score'].argmax())
            truth = int(sample['gt_label'])
            self.results.append((sample['img_path'], truth, predicted))

    def compute_metrics(
        self, results: Sequence[tuple[str, int, int]]
    ) -> dict[str, Any]:
        """Evaluate all images.

        Args:
            results: For each image its path, true and predicted class.
        """
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

    The attributes are those of the data set's ``METAINFO`` that name all classes
    (:mod:`custom_datasets.evaluation.attributes`). The metrics are
    ``<attribute>_accuracy`` and, where values are numbers,
    ``<attribute>_within_one``, both in percent, and in the unit of the values
    ``<attribute>_error`` (the mean absolute one) with its 95 % interval from
    ``<attribute>_error_low`` to ``..._high``, and ``<attribute>_expected_error``.
    """

    default_prefix = 'attribute'

    def compute_metrics(self, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Evaluate all images.

        Args:
            results: For each image ``pred_score``, of shape (classes,), and
                ``gt_label``, of shape (1,).
        """
        classes = self.dataset_meta['classes']
        given = self.dataset_meta.get('attributes')
        attributes = usable_attributes(given, classes)
        for name in set(given or ()) - set(attributes):
            print_log(
                f'attribute {name}: not measured, since it has no value for some class',
                logger='current',
                level=logging.WARNING,
            )
        scores = np.stack(
            [np.asarray(result['pred_score'], float) for result in results]
        )
        truth = np.array([int(result['gt_label']) for result in results])
        metrics = {}
        for row in attribute_report(attributes, classes, truth, scores):
            name = row['name']
            for item in ('accuracy', 'within_one'):
                if item in row:
                    metrics[f'{name}_{item}'] = 100 * row[item]['value']
            if 'mean_absolute_error' in row:
                for end, value in row['mean_absolute_error'].items():
                    suffix = '' if end == 'value' else f'_{end}'
                    metrics[f'{name}_error{suffix}'] = value
                metrics[f'{name}_expected_error'] = row['expected_error']['value']
        return {key: value for key, value in metrics.items() if value is not None}
