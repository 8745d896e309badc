"""Area-AP50 as logged: by hand, and as the stock metric has it."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.evaluation import VOCMetric

from custom_datasets.evaluation import detection_metric as voc_metric
from custom_datasets.evaluation.detection_metric import ClasswiseVOCMetric

CLASSES = ('cat', 'dog', 'cow')


def instances(boxes, labels, scores=None):
    data = {
        'bboxes': torch.tensor(boxes, dtype=torch.float).reshape(-1, 4),
        'labels': torch.tensor(labels, dtype=torch.long),
    }
    if scores is not None:
        data['scores'] = torch.tensor(scores, dtype=torch.float)
    return data


def image(truth, predictions, ignored=()):
    """Boxes are ``(box, label)``, predictions ``(box, label, score)``."""
    boxes, labels = [b for b, _ in truth], [c for _, c in truth]
    dont_care = [b for b, _ in ignored], [c for _, c in ignored]
    found = tuple([p[i] for p in predictions] for i in range(3))
    return {
        'gt_instances': instances(boxes, labels),
        'ignored_instances': instances(*dont_care),
        'pred_instances': instances(*found),
    }


def evaluate(images, metric=None, **options):
    metric = metric or ClasswiseVOCMetric(**options)
    metric.dataset_meta = {'classes': CLASSES}
    metric.process({}, images)
    return metric.evaluate(len(images))


A, B, C = (0, 0, 10, 10), (20, 0, 30, 10), (0, 20, 10, 30)


def test_nothing_annotated_is_nothing_measured(monkeypatch):
    said = []
    logger = SimpleNamespace(warning=said.append, info=said.append)
    monkeypatch.setattr(voc_metric.MMLogger, 'get_current_instance', lambda: logger)
    metrics = evaluate([image([], [(A, 0, 0.9)]), image([], [])])
    names = ('mAP', 'AP50', *(f'AP50_{name}' for name in CLASSES))
    assert list(metrics) == [f'pascal_voc/{name}' for name in names]
    assert all(map(math.isnan, metrics.values()))
    assert said == [
        'nothing is annotated on these 2 images, so nothing is measured; '
        'tools/test.py --out keeps what is predicted'
    ]


def test_perfect_half_and_absent_classes():
    images = [
        image([(A, 0), (B, 1), (C, 1)], [(A, 0, 0.9), (B, 1, 0.8)]),
        image([(A, 0)], [(A, 0, 0.7)]),
    ]
    metrics = evaluate(images)
    assert metrics['pascal_voc/AP50_cat'] == pytest.approx(1)
    assert metrics['pascal_voc/AP50_dog'] == pytest.approx(0.5)
    assert math.isnan(metrics['pascal_voc/AP50_cow'])
    assert (
        metrics['pascal_voc/mAP'] == metrics['pascal_voc/AP50'] == pytest.approx(0.75)
    )
    assert all(type(value) is float for value in metrics.values())
    assert len(metrics) == 5


def test_nothing_found_is_zero_and_no_truth_is_nan():
    metrics = evaluate([image([(A, 0)], []), image([], [(B, 1, 0.5)])])
    assert metrics['pascal_voc/AP50_cat'] == 0
    assert math.isnan(metrics['pascal_voc/AP50_dog'])
    assert metrics['pascal_voc/mAP'] == 0


def test_overlap_is_that_of_boxes_which_end_behind_their_last_pixel():
    # 4 of 4 + 4 pixels shared with 4 more each: 6 of 10, not 5 of 9 or 7 of 11.
    truth, shifted = (0, 0, 8, 1), (2, 0, 10, 1)
    for iou_thr, expected in ((0.6, 1), (0.61, 0)):
        metrics = evaluate([image([(truth, 0)], [(shifted, 0, 0.9)])], iou_thr=iou_thr)
        assert metrics['pascal_voc/mAP'] == expected


def test_other_thresholds_have_other_names():
    metrics = evaluate([image([(A, 0)], [(A, 0, 0.9)])], iou_thr=0.75)
    assert metrics['pascal_voc/AP75_cat'] == metrics['pascal_voc/AP75'] == 1


def test_agrees_with_the_stock_metric_on_the_devkit_s_boxes():
    rng = np.random.default_rng(0)
    ours, stock = [], []
    for _ in range(12):
        corner = rng.integers(0, 40, (6, 2))
        truth = np.hstack([corner, corner + rng.integers(4, 20, (6, 2))])
        labels = rng.integers(0, 3, 6).tolist()
        moved = truth + rng.integers(-2, 3, (6, 4))
        scores = rng.random(6).tolist()
        for images, end in ((ours, 0), (stock, 1)):
            inclusive = np.array([0, 0, end, end])
            images.append(
                image(
                    list(zip((truth - inclusive).tolist(), labels, strict=True)),
                    list(
                        zip((moved - inclusive).tolist(), labels, scores, strict=True)
                    ),
                )
            )
    expected = evaluate(stock, VOCMetric(iou_thrs=0.5, eval_mode='area'))
    got = evaluate(ours)
    assert 0.1 < got['pascal_voc/mAP'] < 0.99
    assert got['pascal_voc/mAP'] == pytest.approx(expected['pascal_voc/mAP'])
