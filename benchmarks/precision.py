#!/usr/bin/env python
"""A training step of the light leaves in float32 and in bfloat16.

    python benchmarks/precision.py DATA [--steps 15] > benchmarks/results/precision.json

DATA has the folders ``bccd`` and ``waste`` (TrashNet), with lists. Each leaf is built
twice from one seed, as the runner builds it; the two train in turn in this process, on
the same batches. Prints a line of JSON a leaf: the median of float32 by that of
bfloat16, on the clock (``faster``) and in processor time, and how busy the machine was.
Ratios only, since other work may share it.
"""

import argparse
import copy
import json
import os
import statistics
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.utils import import_modules_from_strings

from custom_datasets.settings import apply_settings
from custom_datasets.settings.precision import has_fast_bfloat16
from custom_datasets.training.precision import BFloat16OptimWrapper
from custom_datasets.training.runner import PluginRunner
from custom_datasets.training.surroundings import hardware

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LEAVES = (
    'bccd/retinanet_r18_fpn_1xb4-24e_bccd.py',
    'bccd/rtmdet_tiny_1xb4-24e_bccd.py',
    'waste/resnet18_light_1xb64-30e_waste.py',
    'waste/resnet50_light_1xb64-30e_waste.py',
)
TRASHNET = ['cardboard', 'glass', 'metal', 'paper', 'plastic', 'trash']
WRAPPERS = {'float32': 'OptimWrapper', 'bfloat16': BFloat16OptimWrapper.__name__}
BATCHES, WARM_UP = 4, 3


def build(cfg: Config, kind: str) -> tuple[Any, Any]:
    """Build a model as the runner does, and its optimizer in a wrapper."""
    torch.manual_seed(0)
    model_cfg = copy.deepcopy(cfg.model)
    model_cfg.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    model = MODELS.build(model_cfg)
    model.init_weights()
    model.train().to(memory_format=torch.channels_last)
    return model, build_optim_wrapper(model, {**cfg.optim_wrapper, 'type': kind})


def measure(leaf: str, data: Path, steps: int) -> dict[str, Any]:
    """Time the steps of a leaf in both precisions, in turn."""
    cfg = Config.fromfile(CONFIGS / leaf)
    folder = data / leaf.partition('/')[0]
    cfg.merge_from_dict({'data_root': str(folder), 'from_scratch': True})
    if folder.name == 'waste':
        cfg.classes = TRASHNET
    import_modules_from_strings(**cfg.custom_imports)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        apply_settings(cfg)
        cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
        loader = PluginRunner.build_dataloader(cfg.train_dataloader, seed=0)
        batches = list(islice(loader, BATCHES))
        trained = {name: build(cfg, kind) for name, kind in WRAPPERS.items()}
        clock: dict[str, list[float]] = {name: [] for name in WRAPPERS}
        processor: dict[str, list[float]] = {name: [] for name in WRAPPERS}
        for step in range(WARM_UP + steps):
            for name, (model, wrapper) in trained.items():
                batch = copy.deepcopy(batches[step % BATCHES])
                began = time.perf_counter(), time.process_time()
                model.train_step(batch, wrapper)
                clock[name].append(time.perf_counter() - began[0])
                processor[name].append(time.process_time() - began[1])
    return {
        'leaf': leaf,
        'faster': _ratio(clock),
        'less_processor_time': _ratio(processor),
        'steps': steps,
    }


def _ratio(seconds: dict[str, list[float]]) -> float:
    medians = {name: statistics.median(s[WARM_UP:]) for name, s in seconds.items()}
    return round(medians['float32'] / medians['bfloat16'], 2)


def main() -> None:
    """Measure each leaf."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('data', type=Path)
    parser.add_argument('--steps', type=int, default=15)
    args = parser.parse_args()
    MMLogger.get_instance('mmengine', log_level='WARNING')
    machine = hardware()
    for leaf in LEAVES:
        load, busy, began = os.getloadavg()[0], time.process_time(), time.perf_counter()
        row = measure(leaf, args.data, args.steps)
        print(
            json.dumps(
                {
                    'benchmark': 'precision',
                    **row,
                    'fast_bfloat16': has_fast_bfloat16(),
                    'cpu': machine['cpu'],
                    'cores': machine['cores'],
                    'threads': torch.get_num_threads(),
                    'torch': torch.__version__,
                    'load_before': round(load, 1),
                    'cores_used': round(
                        (time.process_time() - busy) / (time.perf_counter() - began), 2
                    ),
                }
            ),
            flush=True,
        )


if __name__ == '__main__':
    main()
