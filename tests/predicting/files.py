"""Files of predictions as ``tools/test.py --out`` writes them: by hand, or drawn."""

import pickle

import numpy as np
import torch

SIDE = 200


def seen(name, truth=None, found=()):
    """Make a detector's sample of one image.

    Truth is ``(box, label)``, None where the file keeps none; what is found is
    ``(box, label, score)``.
    """
    sample = {
        'img_id': name,
        'img_path': f'/data/{name}.png',
        'ori_shape': (SIDE, SIDE),
        'pred_instances': {
            'bboxes': torch.tensor([list(f[0]) for f in found]).float().reshape(-1, 4),
            'labels': torch.tensor([f[1] for f in found]).long(),
            'scores': torch.tensor([f[2] for f in found]).float(),
        },
    }
    if truth is not None:
        sample['instances'] = [
            {'bbox': list(map(float, box)), 'bbox_label': label, 'ignore_flag': 0}
            for box, label in truth
        ]
    return sample


def judged(name, truth, scores):
    """Make a classifier's sample of one image; the truth may be None."""
    score = torch.tensor(scores).float()
    sample = {
        'img_path': f'/data/{name}.png',
        'ori_shape': (SIDE, SIDE),
        'pred_score': score,
        'pred_label': score.argmax(0, True),
    }
    if truth is not None:
        sample['gt_label'] = torch.tensor([truth])
    return sample


def write(path, samples):
    """Write a file and return its name."""
    path.write_bytes(pickle.dumps(samples))
    return str(path)


def draw_objects(part, images, seed, classes=3):
    """Draw names of images and the objects ``(box, label)`` of each."""
    rng = np.random.default_rng(seed)
    drawn = []
    for index in range(images):
        count = rng.integers(1, 6)
        corner = rng.integers(0, 140, (count, 2))
        boxes = np.hstack((corner, corner + rng.integers(20, 60, (count, 2))))
        labels = rng.integers(classes, size=count).tolist()
        drawn.append((f'{part}_{index}', list(zip(boxes, labels, strict=True))))
    return drawn


def detect(drawn, noise, seed, classes=3):
    """Draw what a detector says: moved, missed, renamed and invented objects."""
    rng = np.random.default_rng(seed)
    samples = []
    for name, objects in drawn:
        found = [
            (
                box + rng.normal(0, noise, 4),
                label if rng.random() < 0.9 else int(rng.integers(classes)),
                rng.uniform(0.3, 1),
            )
            for box, label in objects
            if rng.random() < 0.85
        ]
        corner = rng.integers(0, 140, 2)
        invented = np.concatenate((corner, corner + rng.integers(20, 60, 2)))
        found.append((invented, int(rng.integers(classes)), rng.uniform(0, 0.6)))
        samples.append(seen(name, objects, found))
    return samples


def draw_labels(part, images, seed, classes=3):
    """Draw names of images and the class of each."""
    labels = np.random.default_rng(seed).integers(classes, size=images).tolist()
    return [(f'{part}_{index}', label) for index, label in enumerate(labels)]


def classify(drawn, strength, seed, classes=3):
    """Draw what a classifier says; the stronger, the oftener right."""
    rng = np.random.default_rng(seed)
    samples = []
    for name, label in drawn:
        logits = rng.normal(size=classes)
        logits[label] += strength
        powers = np.exp(logits)
        samples.append(judged(name, label, powers / powers.sum()))
    return samples
