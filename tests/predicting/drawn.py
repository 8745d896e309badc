"""Predictions and files as a test needs them."""

import json
import pickle

import numpy as np
import torch

from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    ImageInfo,
    PredictedBoxes,
    TruthBoxes,
)

NO_TRUTH = TruthBoxes(
    np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)), np.zeros(0, bool)
)


def images(*paths, size=(64, 48)):
    return tuple(ImageInfo(str(k), path, size) for k, path in enumerate(paths))


def boxes(*rows):
    """Take ``(image, label, score, (x1, y1, x2, y2))`` a box."""
    image, label, score, box = zip(*rows, strict=True) if rows else ((), (), (), ())
    return PredictedBoxes(
        np.array(image, int),
        np.array(label, int),
        np.array(box, float).reshape(-1, 4),
        np.array(score, float),
    )


def detected(pictures, *rows):
    return DetectionResults(('a', 'b'), pictures, NO_TRUTH, boxes(*rows))


def classified(pictures, scores):
    names = tuple(map(str, range(len(scores[0]))))
    truth = np.zeros(len(pictures), int)
    return ClassificationResults(names, pictures, truth, np.array(scores, float))


def detector_sample(path, *found, size=(64, 48), **more):
    """Return what stock ``--out`` has of an image; ``(label, score, box)`` a box."""
    label, score, box = zip(*found, strict=True) if found else ((), (), ())
    return {
        'img_path': path,
        'ori_shape': (size[1], size[0]),
        'pred_instances': {
            'labels': torch.tensor(label, dtype=torch.int64),
            'scores': torch.tensor(score, dtype=torch.float32),
            'bboxes': torch.tensor(box, dtype=torch.float32).reshape(-1, 4),
        },
        **more,
    }


def classifier_sample(path, scores):
    score = torch.tensor(scores, dtype=torch.float32)
    return {'img_path': path, 'pred_score': score, 'pred_label': score.argmax(0, True)}


def write_pickle(path, samples):
    path.write_bytes(pickle.dumps(samples))
    return str(path)


def write_json(path, content):
    path.write_text(json.dumps(content), encoding='utf-8')
    return str(path)


def coco_content(names, classes):
    """Return a COCO file's content: ids from 7 and 3, no annotations."""
    return {
        'images': [
            {'id': key, 'file_name': name, 'width': 64, 'height': 48}
            for key, name in enumerate(names, 7)
        ],
        'categories': [{'id': key, 'name': n} for key, n in enumerate(classes, 3)],
    }
