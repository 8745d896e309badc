"""What predict.py costs beside the network: its images a second over a bare loop's.

    python benchmarks/predict.py RUN IMAGES [> benchmarks/results/predict.json]

The bare loop is what one would write oneself: the config's test pipeline on each file,
then the model, one image at a time; nothing is decided, painted or written. Beside it,
in turn and in one process, whole jobs of predict.py on the same images: without and
with painting, and with every other output. Prints medians of ROUNDS in images a second,
and ratios to the bare loop, a JSON line.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
ROUNDS, IMAGES = 7, 72


def main(run: str, folder: str) -> None:
    """Time all of them and print the result."""
    from custom_datasets.predicting.config import quiet

    with quiet():
        import torch
        from mmengine.dataset import Compose, pseudo_collate

        from custom_datasets.predicting.job import predict_sources
        from custom_datasets.predicting.job_folder import Request
        from custom_datasets.predicting.predictor import Predictor
        from custom_datasets.predicting.writers import Outputs

    predictor = Predictor.from_run(run)
    paths = sorted(map(str, Path(folder).rglob('*.jp*g')))[:IMAGES]
    network = predictor.network
    with network.scope():
        pipeline = Compose(network.cfg.test_dataloader.dataset.pipeline)

    def bare() -> None:
        with torch.no_grad(), network.scope():
            for path in paths:
                data = pipeline({'img_path': path, 'img_id': 0, 'instances': []})
                network.model.test_step(pseudo_collate([data]))

    def job(**outputs: object) -> Callable[[], None]:
        def work() -> None:
            with tempfile.TemporaryDirectory() as out:
                predict_sources(predictor, Request(paths, Outputs(**outputs), out))

        return work

    detects = predictor.task == 'detection'
    ways = {
        'bare loop': bare,
        'lines only': job(painted=False),
        'painted': job(),
        'everything': job(
            csv=True, crops=True, coco=detects, labels='voc' if detects else None
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, work in ways.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    speeds = {n: len(paths) / statistics.median(s[1:]) for n, s in seconds.items()}
    print(
        json.dumps(
            {
                'run': Path(run).name,
                'images': len(paths),
                'threads': torch.get_num_threads(),
                'images_per_second': {n: round(v, 2) for n, v in speeds.items()},
                'ratio': {
                    n: round(v / speeds['bare loop'], 3) for n, v in speeds.items()
                },
            }
        )
    )


if __name__ == '__main__':
    main(*sys.argv[1:3])
