#!/usr/bin/env python
"""A training step of the light leaves in float32 and in bfloat16.

    python benchmarks/precision.py DATA [--steps 15] > benchmarks/results/precision.json

DATA has the folders ``bccd``, ``waste`` (TrashNet), ``faces`` (face mask) and
``tagger`` (BCCD again), with lists. Each leaf, or those of --leaves, is built
twice from one seed, as the runner builds it; the two train in turn in this process, on
the same batches. Prints a line of JSON a leaf: the median of float32 by that of
bfloat16, on the clock (``faster``) and in processor time, and the machine's load before
and after, of which this process is up to its threads. Ratios only, since other work may
share the machine; OMP_NUM_THREADS=1 makes them less sensitive to it.
"""

import argparse
import copy
import json
import os
import statistics
import sys
import time
from contextlib import redirect_stdout
from itertools import islice
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LEAVES = (
    'bccd/retinanet_r18_fpn_1xb4-24e_bccd.py',
    'bccd/rtmdet_tiny_1xb4-24e_bccd.py',
    'waste/resnet18_light_1xb64-30e_waste.py',
    'waste/resnet50_light_1xb64-30e_waste.py',
    'tagger/faster-rcnn_r18_c4_light_1xb4-24e_tagger.py',
    'faces/ssd300_vgg16_light_1xb4-24e_folded-face-mask.py',
)
CLASSES = {
    'waste': ['cardboard', 'glass', 'metal', 'paper', 'plastic', 'trash'],
    'tagger': ['RBC', 'WBC', 'Platelets'],
}
WRAPPERS = {'float32': 'OptimWrapper', 'bfloat16': 'BFloat16OptimWrapper'}
BATCHES, WARM_UP = 4, 3


def build(cfg: Any, kind: str) -> tuple[Any, Any]:
    """Build a model as the runner does, and its optimizer in a wrapper."""
    import torch
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import MODELS

    torch.manual_seed(0)
    model_cfg = copy.deepcopy(cfg.model)
    model_cfg.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    model = MODELS.build(model_cfg)
    model.init_weights()
    model.train().to(memory_format=torch.channels_last)
    return model, build_optim_wrapper(model, {**cfg.optim_wrapper, 'type': kind})


def measure(leaf: str, data: Path, steps: int) -> dict[str, Any]:
    """Time the steps of a leaf in both precisions, in turn."""
    # Before torch: the package lets threads sleep while they wait.
    from custom_datasets.settings import apply_settings, load_config
    from custom_datasets.settings.precision import has_fast_bfloat16

    # isort: split
    import torch
    from mmengine.registry import DefaultScope
    from mmengine.utils import import_modules_from_strings

    folder = data / leaf.partition('/')[0]
    options = {'data_root': str(folder), 'from_scratch': True}
    if folder.name in CLASSES:
        options['classes'] = CLASSES[folder.name]
    cfg = load_config(str(CONFIGS / leaf), options)
    import_modules_from_strings(**cfg.custom_imports)
    from custom_datasets.training.runner import PluginRunner
    from custom_datasets.training.surroundings import hardware

    load = os.getloadavg()[0]
    clock: dict[str, list[float]] = {name: [] for name in WRAPPERS}
    processor: dict[str, list[float]] = {name: [] for name in WRAPPERS}
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        apply_settings(cfg)
        cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
        loader = PluginRunner.build_dataloader(cfg.train_dataloader, seed=0)
        batches = list(islice(loader, BATCHES))
        trained = {name: build(cfg, kind) for name, kind in WRAPPERS.items()}
        for step in range(WARM_UP + steps):
            for name, (model, wrapper) in trained.items():
                batch = copy.deepcopy(batches[step % BATCHES])
                began = time.perf_counter(), time.process_time()
                model.train_step(batch, wrapper)
                clock[name].append(time.perf_counter() - began[0])
                processor[name].append(time.process_time() - began[1])
    machine = hardware()
    return {
        'benchmark': 'precision',
        'leaf': leaf,
        'faster': ratio(clock),
        'less_processor_time': ratio(processor),
        'steps': steps,
        'fast_bfloat16': has_fast_bfloat16(),
        'cpu': machine['cpu'],
        'cores': machine['cores'],
        'threads': torch.get_num_threads(),
        'torch': torch.__version__,
        'load': [round(load, 1), round(os.getloadavg()[0], 1)],
    }


def ratio(seconds: dict[str, list[float]]) -> float:
    """Divide the median of float32 by that of bfloat16."""
    medians = {name: statistics.median(s[WARM_UP:]) for name, s in seconds.items()}
    return round(medians['float32'] / medians['bfloat16'], 2)


def main() -> None:
    """Measure each leaf."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('data', type=Path)
    parser.add_argument('--steps', type=int, default=15)
    parser.add_argument('--leaves', nargs='+', default=LEAVES)
    args = parser.parse_args()
    for leaf in args.leaves:
        with redirect_stdout(sys.stderr):
            row = measure(leaf, args.data, args.steps)
        print(json.dumps(row), flush=True)


if __name__ == '__main__':
    main()
