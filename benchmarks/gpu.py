"""Training on a GPU in one go: operators, steps of all leaves, what makes them fast.

    python benchmarks/gpu.py [--minutes 9.5] >> benchmarks/results/gpu.json

Needs no network: nothing is fetched, and all starts from random weights. BCCD is
the real one where REAL_DATA_ROOT names a folder that has it; all else is drawn, and
each line says which. What is measured, most wanted first, each in
seconds:

- ``ops``: the tests of ``tests/ops`` on the device.
- ``step``: a training step of each leaf that is meant for a GPU, in float32 and with
  ``--amp``; first DINO's, whose attention runs on our operators.
- ``in turn``: RetinaNet R50 on BCCD and ResNet-50 on waste as the stock scripts train
  them, then with one thing added at a time: float16, bfloat16, channels-last weights,
  a fused optimizer, for the detector the data kept and flipped on the device, and
  everything before the loss as a CUDA graph, forward and backward. The steps of all
  take turns in one process.
- ``compiled``: the same before and behind ``torch.compile``, and after how many steps
  its warm-up has paid.
- ``loop``: ``train`` of mmengine's runner and of ours with all hooks, in turn.

A figure is one JSON line, printed when it is there. One that fails is a line with the
reason; where a process dies or says nothing for long, the next takes over with the
rest. ``--tiny`` is a rehearsal on small images with hardly a step, on any device.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.gpu_data import Setup, draw_all

ROOT = Path(__file__).resolve().parents[1]
SILENCE = 150
"""Seconds without a word after which a process is given up."""

FIRST = 'dino-4scale_r50_1xb2-12e_bccd'


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns 1 where a figure is missing."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='cuda', help='cuda or cpu')
    parser.add_argument('--tiny', action='store_true', help='rehearse in little time')
    parser.add_argument('--minutes', type=float, default=9.5, help='of all together')
    parser.add_argument(
        '--only', nargs='+', metavar='FIGURE', help='those with such a name'
    )
    args = parser.parse_args(argv)
    figures = [
        figure
        for figure in all_figures()
        if not args.only or ' '.join(figure) in args.only or figure[0] in args.only
    ]
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(args.device, args.tiny, folder)
        draw_all(setup)
        missing = run_all(figures, setup, started + 60 * args.minutes)
    return 1 if missing else 0


def all_figures() -> list[tuple[str, str]]:
    """Return kind and subject of all figures, most wanted first."""
    leaves = sorted(
        path
        for path in (ROOT / 'configs').glob('*/*.py')
        if path.parent.name != '_base_' and is_for_gpu(path)
    )
    leaves.sort(key=lambda path: path.stem != FIRST)
    steps = [('step', path.stem) for path in leaves]
    return [
        ('machine', ''),
        ('ops', ''),
        steps[0],
        ('in turn', 'detector'),
        ('loop', ''),
        *steps[1:],
        ('in turn', 'classifier'),
        ('compiled', 'detector'),
        ('compiled', 'classifier'),
    ]


def is_for_gpu(leaf: Path) -> bool:
    """Tell by its bases whether a leaf is one of the light ones, for a CPU."""
    return '_light' not in leaf.read_text() and leaf.parent.name != 'sample'


def run_all(
    figures: Sequence[tuple[str, str]], setup: Setup, deadline: float
) -> list[tuple[str, str]]:
    """Print the lines of all figures, and return those that failed.

    A process does one after the other. Where it dies, or says nothing for long, the
    figure that it was at is given up, and another process does the rest.
    """
    waiting, missing = list(figures), []
    context = get_context('spawn')
    while waiting:
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, waiting, setup))
        process.start()
        theirs.close()
        before = len(waiting)
        reason = _listen(ours, waiting, missing, deadline)
        if reason:
            process.kill()
        process.join()
        if process.exitcode == 0 and len(waiting) < before:
            continue
        reason = reason or f'its process ended with status {process.exitcode}'
        given_up = waiting[:1] if time.monotonic() < deadline else list(waiting)
        for figure in given_up:
            _print(figure, error=reason)
        missing += given_up
        del waiting[: len(given_up)]
    return missing


def _listen(
    connection: Connection,
    waiting: list[tuple[str, str]],
    missing: list[tuple[str, str]],
    deadline: float,
) -> str:
    """Print lines until the process ends; returns why it has to be ended, if so."""
    while True:
        left = deadline - time.monotonic()
        if not connection.poll(max(0, min(SILENCE, left))):
            return f'no word for {SILENCE} s' if SILENCE < left else 'the time is up'
        try:
            line = connection.recv()
        except EOFError:
            return ''
        if line is None:
            del waiting[0]
            continue
        if 'error' in line:
            missing.append(waiting[0])
        _print(waiting[0], **line)


def _print(figure: tuple[str, str], **line: Any) -> None:
    names = dict(zip(('figure', 'of'), figure, strict=True))
    print(json.dumps({'benchmark': 'gpu', **names, **line}), flush=True)


def work(
    connection: Connection, figures: Sequence[tuple[str, str]], setup: Setup
) -> None:
    """Send the lines of each figure, and None behind it.

    It ends early where an error has left the device unusable.
    """
    # What mmengine and pytest print would be between the lines.
    os.dup2(2, 1)
    from benchmarks import gpu_figures

    for kind, subject in figures:
        try:
            for line in gpu_figures.KINDS[kind](setup, subject):
                connection.send(line)
        except Exception as error:
            connection.send({'error': gpu_figures.describe(error)})
        connection.send(None)
        if not gpu_figures.clean_up(setup):
            return


if __name__ == '__main__':
    sys.exit(main())
