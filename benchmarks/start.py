#!/usr/bin/env python
"""From ``python tools/train.py`` to the first iteration.

    python benchmarks/start.py LEAF DATA [--before TREE] [--runs 5]

Starts a training from scratch again and again and ends it as soon as the first batch
is there. With ``--before``, an older working copy takes turns with this one. Prints a
line of JSON a copy: medians in seconds of processor time (user and system; what counts
on a machine that is busy) and of time on the clock.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

ROOT = Path(__file__).resolve().parents[1]


class StopAtFirstBatch(Hook):
    """Print what the process took so far, and end it."""

    priority = 'LOWEST'

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Print and end."""
        seconds = time.time() - float(os.environ['STARTED'])
        print(f'FIRST {time.process_time()} {seconds}', flush=True)
        os._exit(0)


def start(tree: Path, leaf: str, data: str, work_dir: str) -> tuple[float, float]:
    """Start one training; return seconds of processor time and on the clock."""
    options = [f'data_root={data}', 'from_scratch=True']
    options.append('default_hooks.stop.type=start.StopAtFirstBatch')
    command = [sys.executable, 'tools/train.py', leaf, '--work-dir', work_dir]
    path = os.pathsep.join([str(tree), str(ROOT / 'benchmarks')])
    done = subprocess.run(
        [*command, '--cfg-options', *options],
        cwd=tree,
        env={**os.environ, 'PYTHONPATH': path, 'STARTED': repr(time.time())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('FIRST ')]
    if not lines:
        raise SystemExit(done.stdout)
    cpu, clock = map(float, lines[0].split()[1:])
    return cpu, clock


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('leaf')
    parser.add_argument('data')
    parser.add_argument('--before', type=Path)
    parser.add_argument('--runs', type=int, default=5)
    args = parser.parse_args()
    trees = {'before': args.before} if args.before else {}
    trees['now'] = ROOT
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in trees}
    for _ in range(args.runs):
        for name, tree in trees.items():
            with tempfile.TemporaryDirectory() as folder:
                taken[name].append(start(tree, args.leaf, args.data, folder))
    from custom_datasets.training.surroundings import versions

    for name, pairs in taken.items():
        cpu, clock = (statistics.median(each) for each in zip(*pairs, strict=True))
        row = {
            'benchmark': 'start',
            'leaf': Path(args.leaf).stem,
            'copy': name,
            'runs': args.runs,
            'processor_s': round(cpu, 2),
            'clock_s': round(clock, 2),
            'torch': versions()['torch'],
            'mmdet': versions()['mmdet'],
        }
        print(json.dumps(row))


if __name__ == '__main__':
    main()
