"""Area-AP50 for each class, under the class's name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.evaluation import VOCMetric, eval_map
from mmdet.registry import METRICS
from mmengine.logging import MMLogger


@METRICS.register_module()
class ClasswiseVOCMetric(VOCMetric):  # type: ignore[misc]
    """Average precision as in Pascal VOC from 2010 on: area under the curve.

    It reports ``mAP`` and ``AP50`` (the same, at IoU 0.5, over the classes
    that have boxes) and ``AP50_<class>`` for each; NaN where a class has no
    box, and all of them where no image has one. The computation is
    :func:`mmdet.evaluation.eval_map`.

    The devkit's boxes name their last pixel, so there a width is ``xmax - xmin
    + 1``, which stock ``VOCMetric`` repeats. The boxes of this package's data sets
    end behind their last pixel, so the same width is ``x2 - x1`` here.
    """

    def __init__(self, iou_thr: float = 0.5, **kwargs: Any) -> None:
        """Use the area mode."""
        super().__init__(iou_thrs=iou_thr, eval_mode='area', **kwargs)
        self.iou_thr = iou_thr

    def compute_metrics(self, results: Sequence[Any]) -> dict[str, float]:
        """Return the metrics; predictions by class are (boxes, 5): ``xyxy``, score."""
        annotations, predictions = zip(*results, strict=True)
        classes = self.dataset_meta['classes']
        logger = MMLogger.get_current_instance()
        name = f'AP{round(self.iou_thr * 100)}'
        if not any(len(annotation['labels']) for annotation in annotations):
            logger.warning(
                f'nothing is annotated on these {len(results)} images, so nothing is '
                'measured; tools/test.py --out keeps what is predicted'
            )
            names = ('mAP', name, *(f'{name}_{label}' for label in classes))
            return dict.fromkeys(names, np.nan)
        mean, per_class = eval_map(
            predictions,
            annotations,
            iou_thr=self.iou_thr,
            dataset=classes,
            logger=logger,
            eval_mode='area',
            use_legacy_coordinate=False,
        )
        metrics = {'mAP': float(mean), name: float(mean)}
        for label, result in zip(classes, per_class, strict=True):
            ap = result['ap'] if result['num_gts'] else np.nan
            metrics[f'{name}_{label}'] = float(np.asarray(ap).mean())
        return metrics
