#!/usr/bin/env python
"""What ``cache=ram`` and ``cache=disk`` save of a pipeline.

    python benchmarks/decode_once.py LEAF DATA [KEY=VALUE ...]

Goes through the training set without loader workers: as ever, and with pixels kept, in
turn. Prints a line of JSON: milliseconds of processor time an image of the first epoch
and of those behind it (medians of five), and MB that were kept. The settings behind
DATA are those of ``--cfg-options``.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings

from custom_datasets.cli import parse_options
from custom_datasets.settings import load_config
from custom_datasets.training.decode_once import keep_images
from custom_datasets.training.runner import PluginRunner

EPOCHS = 6


def loader_of(cfg: Any) -> Any:
    """Build the training loader without workers."""
    settings = {**cfg.train_dataloader, 'num_workers': 0, 'persistent_workers': False}
    return PluginRunner.build_dataloader(settings, seed=0)


def main() -> None:
    """Measure and print."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    leaf, data, *options = sys.argv[1:]
    cfg = load_config(leaf, {**parse_options(options), 'data_root': data})
    import_modules_from_strings(**cfg.custom_imports)
    init_default_scope(cfg.default_scope)
    loaders = {name: loader_of(cfg) for name in ('as ever', 'ram', 'disk')}
    images, size = keep_images(loaders['ram'], None, 1e12)
    with tempfile.TemporaryDirectory() as folder:
        keep_images(loaders['disk'], folder, 1e12)
    times: dict[str, list[float]] = {name: [] for name in loaders}
    for _ in range(EPOCHS):
        for name, loader in loaders.items():
            start = time.process_time()
            for _batch in loader:
                pass
            times[name].append(1000 * (time.process_time() - start) / images)
    row = {
        'benchmark': 'decode_once',
        'leaf': Path(leaf).stem,
        'images': images,
        'kept_mb': round(size / 1e6),
        **{f'{name}, first': round(each[0], 2) for name, each in times.items()},
        **{n: round(statistics.median(each[1:]), 2) for n, each in times.items()},
    }
    print(json.dumps(row))


if __name__ == '__main__':
    main()
