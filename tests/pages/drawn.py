"""A drawn detector's content of ``report.json``, with its images on disk."""

import json

import cv2
import numpy as np

from custom_datasets.evaluation.detection import detection_report
from custom_datasets.evaluation.results import (
    DetectionResults,
    ImageInfo,
    PredictedBoxes,
    TruthBoxes,
)
from custom_datasets.pages.summaries import detection_summary

SIZE = (96, 80)


def draw_images(folder, count):
    """Write noise as image files, and return their paths."""
    rng = np.random.default_rng(0)
    paths = []
    for index in range(count):
        path = folder / f'image_{index:02}.png'
        cv2.imwrite(str(path), rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8))
        paths.append(str(path))
    return paths


def draw_results(paths, classes, seed=0, objects=6):
    """Return results of a detector that moves, forgets, renames and invents boxes."""
    rng = np.random.default_rng(seed)
    truth, predicted = [], []
    for image in range(len(paths)):
        for _ in range(objects):
            x, y = rng.integers(0, 60), rng.integers(0, 50)
            box = np.array([x, y, x + rng.integers(8, 30), y + rng.integers(8, 30)])
            label = rng.integers(len(classes))
            truth.append((image, label, box))
            if rng.random() < 0.8:
                other = label if rng.random() < 0.9 else rng.integers(len(classes))
                moved = box + rng.normal(0, 1.5, 4)
                predicted.append((image, other, moved, rng.uniform(0.3, 1)))
        corner = rng.integers(0, 40, 2)
        invented = [*corner, *(corner + rng.integers(10, 30, 2))]
        predicted.append((image, 0, np.array(invented), rng.uniform(0, 0.7)))
    predicted.sort(key=lambda row: (row[0], -row[3]))
    true, found = (list(zip(*rows, strict=True)) for rows in (truth, predicted))
    return DetectionResults(
        tuple(classes),
        tuple(ImageInfo(str(i), path, SIZE) for i, path in enumerate(paths)),
        TruthBoxes(
            np.array(true[0]),
            np.array(true[1]),
            np.array(true[2], float),
            np.zeros(len(truth), bool),
        ),
        PredictedBoxes(
            np.array(found[0]),
            np.array(found[1]),
            np.array(found[2], float),
            np.array(found[3]),
        ),
    )


def draw_content(folder, classes=('cat', 'dog', '<cow>'), images=10):
    """Return what ``report.json`` would hold."""
    paths = draw_images(folder, images)
    test = draw_results(paths, classes)
    report = detection_report(test, draw_results(paths, classes, 1), resamples=20)
    content = {
        'run': {
            'config': 'configs/pets.py',
            'options': {'data_root': '/pets'},
            'checkpoint': 'work_dirs/pets/epoch_3.pth',
            'epoch': 3,
            'iteration': 300,
            'predictions': {},
            'dataset': 'PetsDataset',
            'date': '2026-01-02T03:04:05+00:00',
            'versions': {'torch': '2.11.0'},
        },
        'notes': ['A note.'],
        'stock_metrics': {'test': {'mAP': 0.123456}, 'validation': {'mAP': None}},
        'threshold_setting': 'model.test_cfg.rcnn.score_thr',
        'summary': detection_summary(report),
        **report,
    }
    return json.loads(json.dumps(content, allow_nan=False))
