"""What pycocotools and mmdet say of the same detections."""

import contextlib
import io

import numpy as np
from mmdet.evaluation import eval_map
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def coco_reference(results):
    """Evaluate with pycocotools, ignored boxes as crowds.

    Returns:
        Mean precision of shape (ranges, classes, IoUs), and the six summaries;
        NaN where pycocotools has -1.
    """
    truth, predicted = results.truth, results.predicted
    sides = (
        np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], axis=1)
        for b in (truth.box, predicted.box)
    )
    true, found = (list(map(list, one.tolist())) for one in sides)
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = COCO()
        annotated.dataset = {
            'images': [{'id': n} for n in range(len(results.images))],
            'categories': [{'id': n} for n in range(len(results.classes))],
            'annotations': [
                {
                    'id': n + 1,
                    'image_id': int(truth.image[n]),
                    'category_id': int(truth.label[n]),
                    'bbox': box,
                    'area': box[2] * box[3],
                    'iscrowd': int(truth.ignore[n]),
                }
                for n, box in enumerate(true)
            ],
        }
        annotated.createIndex()
        detected = annotated.loadRes(
            [
                {
                    'image_id': int(predicted.image[n]),
                    'category_id': int(predicted.label[n]),
                    'bbox': box,
                    'score': float(predicted.score[n]),
                }
                for n, box in enumerate(found)
            ]
        )
        evaluation = COCOeval(annotated, detected, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval['precision'][..., 2].mean(axis=1).transpose(2, 1, 0)
    summary = evaluation.stats[:6]
    return tuple(np.where(v < 0, np.nan, v) for v in (precision, summary))


def voc_reference(results, monkeypatch):
    """Evaluate with mmdet's ``eval_map``, which is made to sort ties as they come.

    Returns:
        The mean and the AP of each class; NaN where there is no object.
    """
    truth, predicted = results.truth, results.predicted
    annotations, found = [], []
    for image in range(len(results.images)):
        here, own = truth.image == image, predicted.image == image
        real, ignored = here & ~truth.ignore, here & truth.ignore
        annotations.append(
            {
                'bboxes': truth.box[real].astype(np.float32),
                'labels': truth.label[real],
                'bboxes_ignore': truth.box[ignored].astype(np.float32),
                'labels_ignore': truth.label[ignored],
            }
        )
        rows = np.column_stack([predicted.box, predicted.score]).astype(np.float32)
        found.append(
            [
                rows[own & (predicted.label == label)]
                for label in range(len(results.classes))
            ]
        )
    sort = np.argsort
    with monkeypatch.context() as patch:
        patch.setattr(np, 'argsort', lambda values, **_: sort(values, kind='stable'))
        mean, per_class = eval_map(
            found,
            annotations,
            iou_thr=0.5,
            dataset=results.classes,
            logger='silent',
            nproc=1,
            use_legacy_coordinate=False,
        )
    values = [np.ravel(one['ap'])[0] if one['num_gts'] else np.nan for one in per_class]
    return np.array([mean if not np.isnan(values).all() else np.nan, *values])
