#!/usr/bin/env python
"""Fuse the boxes of several models with ours and with ensemble-boxes, in turn.

500 drawn images of three models, 100 boxes each, of 3 classes. Prints a line of JSON
for each method: seconds of the processor for all images (the median of the rounds,
after one that is not counted, in which numba compiles), how many boxes are left, and
how far apart the two are where they mean the same: equal weights, no least score, no
limit to the boxes of an image, for WBF ``conf_type='avg'`` without overflow, for
soft-NMS the linear decay. What remains:

- ensemble-boxes adds up in float32, ours in float64.
- In NMW a box joins the best box that it overlaps (the paper, ours), or the one that
  it overlaps most (ensemble-boxes). Where it overlaps one only that is the same:
  ``same_boxes`` is the share of boxes that agree to 0.01 pixels.
- ensemble-boxes 1.0.9 decays scores in soft-NMS, drops boxes by them, and returns
  the scores as they were before. ``largest_score`` is then no rounding error.
- Of weights that are not equal the two have other notions in WBF's scores (see
  ``fuse_boxes``; ensemble-boxes counts boxes, whatever their weights) and in those
  of NMS (it divides by the sum of weights, ours by the largest).

Without ensemble-boxes, which is no dependency, ours is timed alone.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from custom_datasets.predicting.fusion import METHODS, ModelBoxes, fuse_boxes

Work = tuple[Callable[[], Any], Callable[[Any], Any]]
"""What is timed; what makes rows of image, class, score and ``xyxy`` of its result."""

CLASSES = 3
OBJECTS = 40
SIDE = 640
IOU = 0.55
PACKAGE = 'ensemble-boxes'
AGREE = 0.01


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=500)
    parser.add_argument('--models', type=int, default=3)
    parser.add_argument('--boxes', type=int, default=100, help='of a model and image')
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args(argv)
    installed = importlib.util.find_spec('ensemble_boxes') is not None
    if not installed:
        print(
            f'{PACKAGE} is not installed, so ours is timed alone; "pip install '
            f'{PACKAGE}" adds it',
            file=sys.stderr,
        )
    boxes = draw(args.images, args.models, args.boxes)
    for method in METHODS:
        line = {
            'benchmark': 'ensemble',
            'method': method,
            'images': args.images,
            'models': args.models,
            'boxes': len(boxes.score),
            'classes': CLASSES,
            **measure(method, boxes, args, installed),
        }
        print(json.dumps(line), flush=True)
    return 0


def measure(
    method: str, boxes: ModelBoxes, args: argparse.Namespace, installed: bool
) -> dict[str, Any]:
    """Run one method with both, in turn."""
    work = {'ours': ours(method, boxes, args)}
    if installed:
        work['package'] = package(method, boxes, args)
    seconds: dict[str, list[float]] = {name: [] for name in work}
    tables = {}
    for _ in range(args.rounds + 1):
        for name, (fuse, rows) in work.items():
            start = time.process_time()
            found = fuse()
            seconds[name].append(time.process_time() - start)
            tables[name] = rows(found)
    medians = {name: statistics.median(s[1:]) for name, s in seconds.items()}
    told = {'rounds': args.rounds, 'ours_s': round(medians['ours'], 3)}
    if installed:
        ratio = medians['package'] / medians['ours']
        told |= {
            'package': f'{PACKAGE} {importlib.metadata.version(PACKAGE)}',
            'package_s': round(medians['package'], 3),
            'times_as_fast': round(ratio, 1),
        }
    told['left'] = len(tables['ours'])
    if installed:
        told |= compare(tables['ours'], tables['package'], method == 'soft-nms')
    return told


def ours(method: str, boxes: ModelBoxes, args: argparse.Namespace) -> Work:
    """Prepare ours, which takes all images at once."""
    weights = np.ones(args.models)
    no_limit = args.models * args.boxes

    def fuse() -> Any:
        return fuse_boxes(boxes, weights, method, IOU, no_limit)

    return fuse, lambda found: np.column_stack(
        (found.image, found.label, found.score, found.box)
    )


def package(method: str, boxes: ModelBoxes, args: argparse.Namespace) -> Work:
    """Prepare the package, which takes an image and coordinates from 0 to 1."""
    import ensemble_boxes

    function, options = {
        'wbf': (ensemble_boxes.weighted_boxes_fusion, {}),
        'nms': (ensemble_boxes.nms, {}),
        'soft-nms': (ensemble_boxes.soft_nms, {'method': 1}),
        'nmw': (ensemble_boxes.non_maximum_weighted, {}),
    }[method]
    shape = args.images, args.models, args.boxes
    order = np.lexsort((boxes.model, boxes.image))
    box = (boxes.box[order] / SIDE).reshape(*shape, 4)
    score = boxes.score[order].reshape(shape)
    label = boxes.label[order].reshape(shape)
    images = [
        (list(box[image]), list(score[image]), list(label[image]))
        for image in range(args.images)
    ]

    def fuse() -> Any:
        return [function(*image, iou_thr=IOU, **options) for image in images]

    return fuse, lambda found: np.concatenate(
        [
            np.column_stack((np.full(len(s), image), c, s, b * SIDE))
            for image, (b, s, c) in enumerate(found)
        ]
    )


def compare(first: Any, second: Any, by_box: bool) -> dict[str, Any]:
    """Say how far two tables are from each other.

    Args:
        first: Rows of image, class, score and ``xyxy``.
        second: The same of the other.
        by_box: Whether boxes of an image and class are paired by where they are, or
            by the rank of their score.
    """
    if len(first) != len(second):
        return {'package_left': len(second)}
    tables = []
    for table in (first, second):
        keys = table[:, 3:].round(6).T if by_box else -table[:, 2:3].T
        tables.append(table[np.lexsort((*keys, table[:, 1], table[:, 0]))])
    off = abs(tables[0] - tables[1])
    assert not off[:, :2].any()
    box = off[:, 3:].max(axis=1)
    return {
        'same_boxes': round(float((box < AGREE).mean()), 6),
        'largest_box_px': float(f'{box.max():.2g}'),
        'largest_score': float(f'{off[:, 2].max():.2g}'),
    }


def draw(images: int, models: int, count: int) -> ModelBoxes:
    """Draw objects, and boxes of each model, of which 7 of 10 are near one of them."""
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(images), models * count)
    model = np.tile(np.repeat(np.arange(models), count), images)
    objects = inside(rng, images * OBJECTS)
    labels = rng.integers(CLASSES, size=len(objects))
    chosen = image * OBJECTS + rng.integers(OBJECTS, size=len(image))
    size = np.tile(objects[chosen, 2:] - objects[chosen, :2], 2)
    shifted = objects[chosen] + rng.normal(0, 0.06, size.shape) * size
    near = rng.random(len(image)) < 0.7
    box = np.where(near[:, None], shifted, inside(rng, len(image))).clip(0, SIDE)
    box[:, 2:] = np.maximum(box[:, 2:], box[:, :2] + 1)
    label = np.where(near, labels[chosen], rng.integers(CLASSES, size=len(image)))
    return ModelBoxes(image, label, box.clip(0, SIDE), rng.random(len(image)), model)


def inside(rng: np.random.Generator, count: int) -> Any:
    """Draw boxes inside the image, from 20 to 220 pixels wide."""
    size = np.exp(rng.uniform(np.log(20), np.log(220), (count, 2)))
    corner = rng.random((count, 2)) * (SIDE - size)
    return np.hstack([corner, corner + size])


if __name__ == '__main__':
    sys.exit(main())
