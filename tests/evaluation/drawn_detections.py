"""Detections to evaluate: drawn, written by hand, or real boxes disturbed."""

import numpy as np

from custom_datasets.evaluation.results import (
    DetectionResults,
    ImageInfo,
    PredictedBoxes,
    TruthBoxes,
)


def detections(truth, predicted, classes=('a', 'b'), images=1):
    """Put lists into results.

    Truth is ``(image, label, box)`` or ``(image, label, box, ignore)``,
    predictions are ``(image, label, box, score)``; images ascend.
    """
    true = [(*one, False)[:4] for one in truth]
    order = sorted(predicted, key=lambda one: (one[0], -one[3]))

    def column(rows, index, dtype, *shape):
        return np.array([row[index] for row in rows], dtype=dtype).reshape(-1, *shape)

    return DetectionResults(
        tuple(classes),
        tuple(ImageInfo(f'i{n}', f'/i{n}.jpg', (640, 480)) for n in range(images)),
        TruthBoxes(
            column(true, 0, np.intp),
            column(true, 1, np.intp),
            column(true, 2, float, 4),
            column(true, 3, bool),
        ),
        PredictedBoxes(
            column(order, 0, np.intp),
            column(order, 1, np.intp),
            column(order, 2, float, 4),
            column(order, 3, float),
        ),
    )


def draw(
    seed,
    images=12,
    classes=4,
    objects=12,
    predictions=40,
    ties=False,
    ignore=0.1,
    unannotated=(),
    unpredicted=(),
):
    """Draw images, some of them empty, some without a prediction."""
    rng = np.random.default_rng(seed)
    truth, predicted = [], []
    for image in range(images):
        size = np.exp(rng.uniform(np.log(8), np.log(180), (objects, 2)))
        corner = rng.uniform(0, 400, (objects, 2))
        boxes = np.round(np.hstack([corner, corner + size]))
        labels = rng.integers(classes, size=objects)
        chosen = rng.integers(objects, size=predictions)
        blur = rng.choice([1, 4, 15], (predictions, 1))
        near = boxes[chosen] + rng.normal(0, blur, (predictions, 4))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        same = rng.random(predictions) < 0.85
        guess = np.where(same, labels[chosen], rng.integers(classes, size=predictions))
        score = rng.random(predictions).astype(np.float32)
        score = np.round(score, 1) if ties else score
        there = rng.integers(objects + 1) * (rng.random() > 0.2)
        seen = rng.integers(predictions + 1) * (rng.random() > 0.1)
        truth += [
            (image, label, box, rng.random() < ignore)
            for label, box in list(zip(labels, boxes, strict=True))[: int(there)]
            if label not in unannotated
        ]
        # Networks put out single precision.
        found = zip(guess, near.astype(np.float32), score, strict=True)
        predicted += [
            (image, label, box, float(value))
            for label, box, value in list(found)[: int(seen)]
            if label not in unpredicted
        ]
    return detections(truth, predicted, [f'c{n}' for n in range(classes)], images)


def disturb(truth, classes, images, seed):
    """Predict the truth with shifts, wrong classes, misses, repeats and inventions."""
    rng = np.random.default_rng(seed)
    predicted = []
    for image, label, box, *_ in truth:
        box = np.asarray(box, dtype=float)
        size = np.tile(box[2:] - box[:2], 2)
        for _ in range(rng.integers(0, 4)):
            near = box + rng.normal(0, 0.08, 4) * size
            guess = label if rng.random() < 0.95 else rng.integers(len(classes))
            predicted.append((image, guess, near.astype(np.float32), rng.beta(4, 2)))
        if rng.random() < 0.3:
            corner = rng.uniform(0, 400, 2)
            far = np.concatenate([corner, corner + rng.uniform(10, 120, 2)])
            guess = rng.integers(len(classes))
            predicted.append((image, guess, far.astype(np.float32), rng.beta(2, 4)))
    return detections(truth, predicted, classes, images)
