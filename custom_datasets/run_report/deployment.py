"""Where a detector's config takes the threshold to deploy."""

from collections.abc import Mapping
from typing import Any


def threshold_setting(model: Mapping[str, Any]) -> str | None:
    """Return the setting that drops boxes below a score, by its dotted name.

    Two-stage detectors have it in their second stage, others at the top;
    those without such a threshold (DETR's kin) have none.
    """
    test = model.get('test_cfg') or {}
    if 'score_thr' in (test.get('rcnn') or {}):
        return 'model.test_cfg.rcnn.score_thr'
    return 'model.test_cfg.score_thr' if 'score_thr' in test else None


def class_filter(thresholds: Mapping[str, float | None]) -> str:
    """Return Python that keeps what reaches the threshold of its class.

    Args:
        thresholds: By class; None where a class has none, and is dropped.
    """
    rows = '\n'.join(
        f'    {name!r}: {value:.3f},'
        for name, value in thresholds.items()
        if value is not None
    )
    return (
        f'from mmdet.apis import DetInferencer\n\n'
        f'thresholds = {{\n{rows}\n}}\n'
        "detect = DetInferencer('CONFIG', 'CHECKPOINT')\n"
        "names = detect.model.dataset_meta['classes']\n"
        "for found in detect('IMAGE')['predictions']:\n"
        "    for label, score, box in zip(found['labels'], found['scores'], "
        "found['bboxes']):\n"
        "        if score >= thresholds.get(names[label], float('inf')):\n"
        '            print(names[label], score, box)\n'
    )
