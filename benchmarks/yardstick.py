"""Ours and Ultralytics' small detector from scratch, for equal processor time.

    python benchmarks/yardstick.py BCCD_FOLDER OUT --ultralytics PYTHON
        [--run RUN --budget SECONDS] [>> benchmarks/results/yardstick.json]

Ours is BCCD's light RetinaNet. What ``tools/train.py`` takes in seconds of the
processor, validation and checkpoints included, is the other's budget; ``--run`` and
``--budget`` name a finished run and what that one took. The images are converted by
``tools/dataset_converters/convert.py``. Two short trainings say how many epochs the
other gets: one costs what the longer takes more, and the start what is left.

Both see images of 320 pixels and start from nothing, everything else is as either
has it. The checkpoint is the best on validation, as each chooses it. One judge: the
predictions on the test split, at most 100 boxes an image, through the evaluation of
this package, with 95 % intervals, and the difference paired over the images.

Ultralytics is under the AGPL, so it stays in an environment of its own and is only
run, by the ``yolo`` beside PYTHON: offline, and with its reports switched off.
Prints a JSON line for each model, and one for the difference.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.checkpoints import best_checkpoint
from custom_datasets.evaluation.results import (
    DetectionResults,
    Samples,
    detection_results,
    read_samples,
)
from custom_datasets.predicting.run_folder import find_config
from custom_datasets.runs.comparison import measure

ROOT = Path(__file__).resolve().parents[1]
LEAF = 'configs/bccd/retinanet_r18_fpn_1xb4-24e_bccd.py'
SIDE, BOXES = 320, 100
SHORT, LONGER = 1, 3
"""Epochs of the trainings that say what an epoch costs."""


class Cost(NamedTuple):
    """Seconds of the processor, with all children, and of the clock."""

    processor: float
    clock: float


def main(argv: list[str] | None = None) -> int:
    """Train both, judge both, and print."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.run and not (args.budget or args.epochs):
        parser.error('--run needs --budget, the seconds of the processor it took')
    out = Path(args.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    load = round(os.getloadavg()[0], 1)
    run, cost = Path(args.run or out / 'ours'), Cost(args.budget or 0, 0)
    if not args.run:
        cost = _train_ours(args.data, run, args.seed)
    record = json.loads((run / 'run.json').read_text())
    classes = tuple(record['data']['train']['classes'])
    truth = _test_ours(args.data, run, out / 'ours_test')
    yolo = Yolo(args.ultralytics, args.model, out, args.seed)
    yolo.convert(args.data)
    epochs = args.epochs or yolo.epochs_in(cost.processor)
    theirs = yolo.train(epochs, f'{args.model}_{epochs}e')
    predicted = yolo.test(f'{args.model}_{epochs}e')
    first = detection_results(truth, classes)
    second = judged_alike(truth, predicted, yolo.classes, classes)
    shared = {
        'benchmark': 'yardstick',
        'test_images': len(first.images),
        'side': SIDE,
        'seed': args.seed,
        'cpu': record['hardware']['cpu'],
        'cores': record['hardware']['cores'],
        'load_before': load,
    }
    ours = {
        'model': Path(LEAF).stem,
        'versions': record['versions'],
        'epochs': record['schedule']['epochs'],
        'parameters': record['model']['parameters'],
    }
    other = {'model': args.model, 'versions': yolo.version, 'epochs': epochs}
    measured = [measure(first), measure(second)]
    for about, spent, own in zip((ours, other), (cost, theirs), measured, strict=True):
        figures = {
            metric.text: estimate.as_json()
            for metric, estimate in zip(own.metrics, own.estimates(), strict=True)
        }
        seconds = {
            'processor_s': round(spent.processor),
            'clock_s': round(spent.clock) or None,
        }
        print(json.dumps({**shared, **about, **seconds, **figures}), flush=True)
    gains = measured[0].minus(measured[1])[:2]
    names = [metric.text for metric in measured[0].metrics[:2]]
    figures = {n: g.as_json() for n, g in zip(names, gains, strict=True)}
    about = {'difference': f'{ours["model"]} - {other["model"]}'}
    print(json.dumps({**shared, **about, **figures}), flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', help='the folder of BCCD')
    parser.add_argument('out', help='for runs, the converted data and predictions')
    parser.add_argument(
        '--ultralytics', metavar='PYTHON', required=True, help='has it installed'
    )
    parser.add_argument('--model', default='yolo26n', help='(default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--run', help='a finished run of the leaf')
    parser.add_argument('--budget', type=float, help='seconds of processor it took')
    parser.add_argument('--epochs', type=int, help='of the other, whatever they cost')
    return parser


def spend(command: list[str], **options: Any) -> Cost:
    """Run a command to its end and return what it took; its words go to stderr."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=sys.stderr, **options)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return Cost(user + system, end - start)


def _train_ours(data: str, run: Path, seed: int) -> Cost:
    options = [f'data_root={os.path.abspath(data)}', f'randomness.seed={seed}']
    command = [sys.executable, 'tools/train.py', LEAF, '--work-dir', str(run)]
    return spend([*command, '--cfg-options', *options], cwd=ROOT)


def _test_ours(data: str, run: Path, out: Path) -> Samples:
    """Predict with the checkpoint that was best on validation."""
    checkpoint = best_checkpoint(str(run))
    assert checkpoint, f'{run}: no checkpoint that was best on validation'
    file = out / 'test_predictions.pkl'
    command = [sys.executable, 'tools/test.py', find_config(str(run)), checkpoint]
    command += ['--work-dir', str(out), '--out', str(file)]
    spend([*command, '--cfg-options', f'data_root={os.path.abspath(data)}'], cwd=ROOT)
    return read_samples(str(file))


class Yolo:
    """Ultralytics' command line, in an environment and with settings of its own."""

    classes: tuple[str, ...]

    def __init__(self, python: str, model: str, out: Path, seed: int) -> None:
        """Switch its reports off."""
        self._command = str(Path(python).absolute().parent / 'yolo')
        self._model, self._out, self._seed = model, out, seed
        self._data = out / 'yolo_data'
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith('PYTHON')},
            'YOLO_CONFIG_DIR': str(out / 'yolo_settings'),
            'YOLO_OFFLINE': 'true',
            'YOLO_AUTOINSTALL': 'false',
        }
        (out / 'yolo_settings').mkdir(exist_ok=True)
        self._run('settings', 'sync=False')
        words = subprocess.run(
            [self._command, 'version'],
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version = {'ultralytics': words.stdout.split()[-1]}

    def convert(self, data: str) -> None:
        """Write the data set as YOLO text."""
        command = [sys.executable, 'tools/dataset_converters/convert.py', data]
        command += [str(self._data), '--to', 'yolo', '--overwrite']
        spend(command, cwd=ROOT)
        lines = (self._data / 'data.yaml').read_text().partition('names:\n')[2]
        names = [line.partition(': ')[2] for line in lines.splitlines() if line]
        self.classes = tuple(json.loads(name) for name in names)

    def epochs_in(self, budget: float) -> int:
        """Return how many epochs cost as much processor time."""
        short, longer = (
            self.train(epochs, f'{self._model}_trial_{epochs}e', 'close_mosaic=0')
            for epochs in (SHORT, LONGER)
        )
        epoch = (longer.processor - short.processor) / (LONGER - SHORT)
        start = short.processor - SHORT * epoch
        epochs = max(1, round((budget - start) / epoch))
        print(
            f'{self._model}: {start:.1f} s and {epoch:.1f} s an epoch, so {epochs} '
            f'epochs in {budget:.0f} s of the processor',
            file=sys.stderr,
        )
        return epochs

    def train(self, epochs: int, name: str, *options: str) -> Cost:
        """Train from scratch, with its own defaults for all else."""
        return self._run(
            *('detect', 'train', f'model={self._model}.yaml', 'pretrained=False'),
            *(f'epochs={epochs}', f'seed={self._seed}', *self._shared(name), *options),
        )

    def test(self, name: str) -> list[dict[str, Any]]:
        """Return its predictions on the test split, COCO's JSON of results."""
        weights = self._out / name / 'weights/best.pt'
        self._run(
            *('detect', 'val', f'model={weights}', 'split=test', 'save_json=True'),
            *(f'max_det={BOXES}', *self._shared(f'{name}_test')),
        )
        file = self._out / f'{name}_test/predictions.json'
        rows: list[dict[str, Any]] = json.loads(file.read_text())
        return rows

    def _shared(self, name: str) -> tuple[str, ...]:
        data, project = f'data={self._data}/data.yaml', f'project={self._out}'
        where = data, project, f'name={name}', 'exist_ok=True'
        return *where, f'imgsz={SIDE}', 'device=cpu', 'plots=False'

    def _run(self, *words: str) -> Cost:
        return spend([self._command, *words], env=self._environment, cwd=self._out)


def judged_alike(
    samples: Samples,
    rows: list[dict[str, Any]],
    theirs: tuple[str, ...],
    classes: tuple[str, ...],
) -> DetectionResults:
    """Put another's predictions in the place of ours, with the same images and truth.

    Args:
        samples: Ours, with the truth.
        rows: COCO's JSON of results: ``image_id`` is the image's name without its
            suffix, ``category_id`` counts from 1, ``bbox`` is x, y, width, height.
        theirs: The names of the categories, in their order.
        classes: The names of the labels.
    """
    by_image: Mapping[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_image[str(row['image_id'])].append(row)
    names = [Path(sample['img_path']).stem for sample in samples]
    strangers = set(by_image) - set(names)
    assert not strangers, f'not in the test split: {sorted(strangers)[:3]}'
    assert all(1 <= row['category_id'] <= len(theirs) for row in rows)
    judged = []
    for name, sample in zip(names, samples, strict=True):
        own = by_image[name]
        corners = [
            (x, y, x + width, y + height)
            for x, y, width, height in (row['bbox'] for row in own)
        ]
        labels = [classes.index(theirs[row['category_id'] - 1]) for row in own]
        instances = {
            'bboxes': corners,
            'labels': labels,
            'scores': [row['score'] for row in own],
        }
        judged.append({**sample, 'pred_instances': instances})
    return detection_results(judged, classes)


if __name__ == '__main__':
    sys.exit(main())
