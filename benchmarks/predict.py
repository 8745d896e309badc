"""What predict.py costs beside the network: its images a second over a bare loop's.

    python benchmarks/predict.py RUN IMAGES [COUNT] [>> benchmarks/results/predict.json]

The bare loop is what one would write oneself: the config's test pipeline on each file,
then the model, one image at a time; nothing is decided, painted or written. A second
one runs the model on the config's test batches, a third also paints and writes, one
after the other. Beside them, in turn and in one process, whole jobs of predict.py on
the same images, without and with painting, and with every other output; and painting
and writing alone. Prints medians of ROUNDS in images a second, their ratios to the bare
loop, and milliseconds of the processors for an image, a JSON line.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
ROUNDS = 7


def main(run: str, folder: str, count: str = '72') -> None:
    """Time all of them and print the result."""
    from custom_datasets.predicting.config import quiet

    with quiet():
        import torch
        from mmengine.dataset import Compose, pseudo_collate

        from custom_datasets.files import write_image
        from custom_datasets.predicting.images import read_pixels
        from custom_datasets.predicting.job import predict_sources
        from custom_datasets.predicting.job_folder import Request
        from custom_datasets.predicting.predictor import Predictor
        from custom_datasets.predicting.writers import Outputs

    predictor = Predictor.from_run(run)
    paths = sorted(map(str, Path(folder).rglob('*.jp*g')))[: int(count)]
    network = predictor.network
    with network.scope():
        pipeline = Compose(network.cfg.test_dataloader.dataset.pipeline)
    pixels = [read_pixels(path) for path in paths]
    answers = list(predictor(paths, batch_size=network.batch_size))

    def bare(size: int) -> Callable[[str], None]:
        def work(out: str) -> None:
            with torch.no_grad(), network.scope():
                for start in range(0, len(paths), size):
                    batch = [
                        pipeline({'img_path': path, 'img_id': 0, 'instances': []})
                        for path in paths[start : start + size]
                    ]
                    network.model.test_step(pseudo_collate(batch))

        return work

    def paint(out: str) -> None:
        for number, (answer, image) in enumerate(zip(answers, pixels, strict=True)):
            write_image(os.path.join(out, f'{number}.jpg'), answer.paint(image))

    def bare_and_paint(out: str) -> None:
        for start in range(0, len(paths), network.batch_size):
            names = paths[start : start + network.batch_size]
            batch = [predictor.prepare(name) for name in names]
            found = predictor.predict(batch)
            for number, (answer, row) in enumerate(zip(found, batch, strict=True)):
                path = os.path.join(out, f'{start + number}.jpg')
                write_image(path, answer.paint(row.pixels))

    def job(**outputs: object) -> Callable[[str], None]:
        def work(out: str) -> None:
            predict_sources(predictor, Request(paths, Outputs(**outputs), out))

        return work

    detects = predictor.task == 'detection'
    ways = {
        'bare loop': bare(1),
        'bare loop in batches': bare(network.batch_size),
        'bare loop in batches that paints': bare_and_paint,
        'painting alone': paint,
        'lines only': job(painted=False),
        'painted': job(),
        'everything': job(
            csv=True, crops=True, coco=detects, labels='voc' if detects else None
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    busy: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, work in ways.items():
            with tempfile.TemporaryDirectory() as out:
                start, process = time.perf_counter(), time.process_time()
                work(out)
                seconds[name].append(time.perf_counter() - start)
                busy[name].append(time.process_time() - process)
    speeds = {n: len(paths) / statistics.median(s[1:]) for n, s in seconds.items()}
    costs = {n: statistics.median(s[1:]) / len(paths) * 1e3 for n, s in busy.items()}
    print(
        json.dumps(
            {
                'run': Path(run).name,
                'images': len(paths),
                'batch': network.batch_size,
                'threads': torch.get_num_threads(),
                'images_per_second': {n: round(v, 2) for n, v in speeds.items()},
                'ratio': {
                    n: round(v / speeds['bare loop'], 3) for n, v in speeds.items()
                },
                'cpu_ms_per_image': {n: round(v, 2) for n, v in costs.items()},
            }
        )
    )


if __name__ == '__main__':
    main(*sys.argv[1:4])
