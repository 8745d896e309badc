#!/usr/bin/env python
"""Time all that the report measures of a detector, beside COCO AP alone.

5,000 drawn images with 100 predictions and 10 objects each, of 3 classes: the
whole ``detection_report`` with 1000 resamples and a validation set of the same
size, and next to it pycocotools for COCO AP alone, and faster-coco-eval where
it is installed. Each runs in a process of its own. Prints a line of JSON for each:
how many processes ran already (the machine's load average), wall time, processor
time (about what it takes where nothing else runs), the most memory held, and
COCO AP, which must be the same for all. Drawing, and putting boxes into
pycocotools' form, are not counted in the times.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from custom_datasets.evaluation.detection import detection_report
from custom_datasets.evaluation.results import (
    DetectionResults,
    ImageInfo,
    PredictedBoxes,
    TruthBoxes,
)

OBJECTS = 10
CLASSES = ('a', 'b', 'c')
EXTENT = np.array([640, 480])
TOOLS = ('report', 'pycocotools', 'faster_coco_eval')


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=5000)
    parser.add_argument('--predictions', type=int, default=100, help='of an image')
    parser.add_argument('--resamples', type=int, default=1000)
    parser.add_argument('--tool', choices=TOOLS, help='only this one')
    args = parser.parse_args(argv)
    if args.tool:
        print(json.dumps(measure(args)), flush=True)
        return 0
    for tool in TOOLS:
        if importlib.util.find_spec(tool) or tool == 'report':
            options = [*sys.argv[1:], '--tool', tool]
            subprocess.run([sys.executable, __file__, *options], check=True)
    return 0


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Run one of the tools."""
    load = os.getloadavg()[0]
    test = draw(args.images, args.predictions, seed=0)
    prepare = {'report': report, 'pycocotools': coco, 'faster_coco_eval': coco}
    work = prepare[args.tool](test, args)
    wall, processor = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        values = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return {
        'benchmark': 'report_metrics',
        'tool': args.tool,
        'images': args.images,
        'predictions': args.images * args.predictions,
        'classes': len(CLASSES),
        'load_before': round(load, 1),
        'wall_s': round(wall, 1),
        'processor_s': round(processor, 1),
        'memory_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **values,
    }


def report(
    test: DetectionResults, args: argparse.Namespace
) -> Callable[[], dict[str, Any]]:
    """Prepare all that the report measures."""
    val = draw(args.images, args.predictions, seed=1)

    def work() -> dict[str, Any]:
        whole = detection_report(test, val, resamples=args.resamples)
        return {
            'resamples': args.resamples,
            'coco_ap': whole['overall']['coco']['AP']['value'],
            'area_ap50': whole['overall']['area_ap50']['value'],
            'json_kb': len(json.dumps(whole)) // 1000,
        }

    return work


def coco(
    test: DetectionResults, args: argparse.Namespace
) -> Callable[[], dict[str, Any]]:
    """Prepare COCO AP by one of the libraries."""
    if args.tool == 'pycocotools':
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval as Evaluation
    else:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as Evaluation

    def rows(boxes: Any, **more: Any) -> list[dict[str, Any]]:
        sides = np.hstack([boxes.box[:, :2], boxes.box[:, 2:] - boxes.box[:, :2]])
        columns = {
            'id': range(1, len(sides) + 1),
            'image_id': boxes.image.tolist(),
            'category_id': boxes.label.tolist(),
            'bbox': sides.tolist(),
            'area': (sides[:, 2] * sides[:, 3]).tolist(),
            **{name: values.tolist() for name, values in more.items()},
        }
        return [
            dict(zip(columns, row, strict=True))
            for row in zip(*columns.values(), strict=True)
        ]

    def work() -> dict[str, Any]:
        evaluation = Evaluation(truth, found, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return {'coco_ap': round(float(evaluation.stats[0]), 6)}

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            'info': {},
            'images': [{'id': n} for n in range(len(test.images))],
            'categories': [{'id': n, 'name': name} for n, name in enumerate(CLASSES)],
            'annotations': rows(test.truth, iscrowd=test.truth.ignore.astype(int)),
        }
        truth.createIndex()
        found = truth.loadRes(rows(test.predicted, score=test.predicted.score))
    return work


def draw(images: int, predictions: int, seed: int) -> DetectionResults:
    """Draw objects, and predictions of which half are near one of them."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(images), OBJECTS)
    label = rng.integers(len(CLASSES), size=len(image))
    box = boxes(rng, len(image)).round()
    ignore = rng.random(len(image)) < 0.02
    own = np.repeat(np.arange(images), predictions)
    target = own * OBJECTS + rng.integers(OBJECTS, size=len(own))
    near = rng.random(len(own)) < 0.5
    size = np.tile(box[target, 2:] - box[target, :2], 2)
    shift = rng.normal(size=size.shape) * rng.choice([0.03, 0.1, 0.25], (len(own), 1))
    guess = np.where(near[:, None], box[target] + shift * size, boxes(rng, len(own)))
    guess[:, 2:] = np.maximum(guess[:, 2:], guess[:, :2] + 1)
    other = rng.integers(len(CLASSES), size=len(own))
    same = near & (rng.random(len(own)) < 0.9)
    score = np.where(near, rng.beta(3, 3, len(own)), rng.beta(1, 6, len(own)))
    order = np.lexsort((-score, own))
    predicted = PredictedBoxes(
        own,
        np.where(same, label[target], other)[order],
        guess.astype(np.float32).astype(float)[order],
        score[order],
    )
    names = [f'{n:06d}' for n in range(images)]
    return DetectionResults(
        CLASSES,
        tuple(ImageInfo(name, f'{name}.jpg', (640, 480)) for name in names),
        TruthBoxes(image, label, box, ignore),
        predicted,
    )


def boxes(rng: np.random.Generator, count: int) -> Any:
    """Draw boxes inside the image, from 12 to 220 pixels wide."""
    size = np.exp(rng.uniform(np.log(12), np.log(220), (count, 2)))
    corner = rng.random((count, 2)) * (EXTENT - size)
    return np.hstack([corner, corner + size])


if __name__ == '__main__':
    sys.exit(main())
