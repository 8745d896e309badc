#!/usr/bin/env python
"""What an export wins and costs: PyTorch, OpenVINO and ONNX Runtime, by precision.

    python benchmarks/export.py RUN WORK [--batch 8] [--threads 2]
        [--cfg-options data_root=...] >> benchmarks/results/export.json

Exports a run to WORK in float32, float16 and int8, for one image and for a batch, or
takes what an earlier call has left there. Then all of them run in turn in this process,
on the same test images and the same number of threads; memory is the largest resident
size of a process that runs one of them alone. Prints a JSON line: for each its size,
COCO AP or top-1 and the difference from PyTorch with 95 % intervals, milliseconds of
one image (median; without reading and resizing), images a second of a batch, memory,
and how many times as fast as PyTorch.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from custom_datasets.cli import add_cfg_options  # noqa: E402
from custom_datasets.predicting.exported import (  # noqa: E402
    ExportedNetwork,
    letterbox,
)
from custom_datasets.predicting.images import read_pixels  # noqa: E402

PRECISIONS = 'float32', 'float16', 'int8'
RUNTIMES = {'openvino': 'OpenVINO', 'onnx': 'ONNX Runtime'}
EAGER, LAST = 'PyTorch', 'PyTorch channels-last'
PAUSE = 0.02
"""Seconds between two runs: threads of the one before spin for a while."""

Run = Callable[[], Any]


def main() -> None:
    """Export, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run')
    parser.add_argument('work', type=Path)
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--images', type=int, default=25)
    parser.add_argument('--export-only', action='store_true')
    parser.add_argument('--alone', help='a model to run alone, for its memory')
    add_cfg_options(parser)
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    network, paths = open_run(args.run, args.cfg_options)
    if args.alone:
        run_alone(args, network, paths)
        return
    folders = export_all(args, network.task)
    if args.export_only:
        return
    load = os.getloadavg()[0]
    single = open_all(args, network, folders, 1)
    alone = in_turn(single, network, paths[: args.images], 1, folders)
    del single
    several = open_all(args, network, folders, args.batch)
    together = in_turn(several, network, paths[: args.images], args.batch, folders)
    print(json.dumps(report(args, network, folders, alone, together, load)))


def open_run(run: str, options: dict[str, Any]) -> tuple[Any, list[str]]:
    """Return a run's network in PyTorch and the paths of its test images."""
    from custom_datasets.predicting.config import quiet, read_dataset
    from custom_datasets.predicting.model import read_network
    from custom_datasets.predicting.run_folder import find_checkpoint, find_config

    with quiet():
        network = read_network(
            find_config(run), find_checkpoint(run)[0], options, device='cpu'
        )
        return network, list(read_dataset(network.cfg, 'test').paths)


def export_all(args: argparse.Namespace, task: str) -> dict[tuple[str, int], str]:
    """Return the folder of each precision and batch, exported if it is not there."""
    from custom_datasets.export.export import MAX_DROP, Request, export_model

    folders = {}
    for precision in PRECISIONS:
        # A classifier takes any number.
        sizes = {1: 1, args.batch: args.batch}
        if task == 'classification':
            sizes = {1: None, args.batch: None}
        for count, batch in sizes.items():
            folder = args.work / f'{precision}_{"any" if batch is None else batch}'
            folders[precision, count] = str(folder)
            if (folder / 'model.json').is_file():
                continue
            request = Request(
                model=args.run,
                out=str(folder),
                runtimes=tuple(RUNTIMES),
                batch=batch,
                precision=precision,
                # What a batch says is compared too, but on fewer.
                images=None if count == 1 else 2 * args.batch,
                # A batch is only timed, so no layer is put back into float.
                max_drop=MAX_DROP if count == 1 else 1.0,
                options=args.cfg_options,
            )
            lines = export_model(request, lambda done, total: None)
            print(*lines, sep='\n', file=sys.stderr)
    return folders


def open_all(
    args: argparse.Namespace,
    network: Any,
    folders: dict[tuple[str, int], str],
    batch: int,
) -> dict[str, ExportedNetwork | None]:
    """Open what runs a batch; the two of PyTorch are None."""
    return {
        EAGER: None,
        LAST: None,
        **{
            f'{title} {precision}': ExportedNetwork(
                folders[precision, batch], runtime, args.threads
            )
            for precision in PRECISIONS
            for runtime, title in RUNTIMES.items()
        },
    }


def in_turn(
    models: dict[str, ExportedNetwork | None],
    network: Any,
    paths: list[str],
    batch: int,
    folders: dict[tuple[str, int], str],
) -> dict[str, float]:
    """Return the median seconds of a batch of each model."""
    import torch

    from custom_datasets.predicting.config import quiet

    spec = json.loads(Path(folders['float32', 1], 'model.json').read_text())['input']
    times: dict[str, list[float]] = {name: [] for name in models}
    rounds = max(len(paths) // batch, 5)
    with quiet(), network.scope(), torch.no_grad():
        for turn in range(rounds + 1):
            chosen = [paths[(turn * batch + k) % len(paths)] for k in range(batch)]
            rows = [as_row(letterbox(read_pixels(path), spec)) for path in chosen]
            for name, model in models.items():
                run = (
                    eager(network, rows, name) if model is None else bound(model, rows)
                )
                time.sleep(PAUSE)
                start = time.perf_counter()
                run()
                if turn:  # The first is a warm-up.
                    times[name].append(time.perf_counter() - start)
    return {name: statistics.median(own) for name, own in times.items()}


def as_row(parts: tuple[Any, ...]) -> dict[str, Any]:
    """Name the parts of an input."""
    return dict(zip(('inputs', 'shape', 'scale'), parts, strict=True))


def bound(model: ExportedNetwork, rows: list[dict[str, Any]]) -> Run:
    """Return a run of an exported model."""
    return lambda: model.answers(rows)


def eager(network: Any, rows: list[dict[str, Any]], name: str) -> Run:
    """Return a run of stock ``predict``, whose weights lie as the name says."""
    import torch

    from custom_datasets.export.parity import eager_run

    layout = torch.channels_last if name == LAST else torch.contiguous_format
    network.model.to(memory_format=layout)
    tensor = torch.from_numpy(np.stack([row['inputs'] for row in rows]))
    tensor = tensor.to(memory_format=layout)
    return eager_run(network, tensor, rows[0]['shape'], rows[0]['scale'])


def run_alone(args: argparse.Namespace, network: Any, paths: list[str]) -> None:
    """Run a model of PyTorch on twenty images, and print the memory of the process."""
    import torch

    from custom_datasets.predicting.config import quiet

    spec = json.loads((args.work / 'model.json').read_text())['input']
    with quiet(), network.scope(), torch.no_grad():
        for path in paths[:20]:
            row = letterbox(read_pixels(path), spec)
            eager(network, [as_row(row)], args.alone)()
    print(Path('/proc/self/status').read_text())


EXPORTED_ALONE = """
import sys
from custom_datasets import Predictor
model = Predictor.from_export(sys.argv[1], runtime=sys.argv[2])
for path in sys.argv[3:]:
    model(path)
print(open('/proc/self/status').read())
"""


def memory(
    args: argparse.Namespace, folders: dict[tuple[str, int], str]
) -> dict[str, float]:
    """Return the largest resident megabytes of a process for each model."""
    _, paths = open_run(args.run, args.cfg_options)
    commands = {
        name: [
            *(__file__, args.run, folders['float32', 1], '--alone', name),
            *('--threads', str(args.threads), '--cfg-options'),
            *(f'{key}={value}' for key, value in args.cfg_options.items()),
        ]
        for name in (EAGER, LAST)
    }
    commands |= {
        f'{title} {precision}': [
            *('-c', EXPORTED_ALONE, folders[precision, 1], runtime, *paths[:20])
        ]
        for precision in PRECISIONS
        for runtime, title in RUNTIMES.items()
    }
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    sizes = {}
    for name, command in commands.items():
        done = subprocess.run(
            [sys.executable, *command],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        # What the process that started it had does not count, as in getrusage.
        (peak,) = re.findall(r'VmHWM:\s+(\d+) kB', done.stdout)
        sizes[name] = round(int(peak) / 1024)
    return sizes


def report(
    args: argparse.Namespace,
    network: Any,
    folders: dict[tuple[str, int], str],
    alone: dict[str, float],
    together: dict[str, float],
    load: float,
) -> dict[str, Any]:
    """Put everything into one table."""
    from custom_datasets.training.surroundings import hardware

    sizes = memory(args, folders)
    rows: dict[str, dict[str, Any]] = {}
    quantised: dict[str, Any] = {}
    for precision in PRECISIONS:
        about = json.loads(Path(folders[precision, 1], 'model.json').read_text())
        rows |= {row['model']: row for row in about['measured']['rows']}
        quantised |= about['measured']['quantisation']
    rows[LAST] = {**rows[EAGER], 'model': LAST, 'metric': None}
    table = [
        {
            **{key: rows[name][key] for key in ('megabytes', 'metric', 'difference')},
            'model': name,
            'ms': round(1000 * alone[name], 2),
            'times_as_fast': round(alone[EAGER] / alone[name], 2),
            'images_per_s_of_batch': round(args.batch / together[name], 1),
            'peak_mb': sizes[name],
        }
        for name in alone
    ]
    return {
        'config': Path(network.cfg.filename).name,
        'epoch': network.facts.epoch,
        'metric': about['measured']['metric'],
        'images': about['measured']['images'],
        'batch': args.batch,
        'threads': args.threads,
        'rounds': args.images,
        'load_before': round(load, 1),
        'hardware': hardware(),
        'versions': about['versions'],
        'quantisation': quantised,
        'rows': table,
    }


if __name__ == '__main__':
    main()
