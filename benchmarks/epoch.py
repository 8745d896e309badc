#!/usr/bin/env python
"""Where the time of one epoch goes.

    python benchmarks/epoch.py LEAF DATA [KEY=VALUE ...]

Trains LEAF on DATA from scratch for one epoch, with the validation and the checkpoint
at its end, and prints a line of JSON: seconds of processor time (all threads) and on
the clock of each part, each without the parts inside of it. ``data`` is what the
training process spends on getting batches; ``loaders`` is the processor time of the
loader workers. The settings behind DATA are those of ``--cfg-options``.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.hooks import CheckpointHook, EMAHook, Hook

ROOT = Path(__file__).resolve().parents[1]
NETWORK = ('preprocessor', 'forward')


class Watch:
    """Adds up what parts of a program take, each without the parts inside of it."""

    def __init__(self) -> None:
        """Begin with what happened before."""
        self.processor: Counter[str] = Counter()
        self.clock: Counter[str] = Counter()
        self._inside = ['start']
        self._last = (0.0, float(os.environ['STARTED']))

    def count(self) -> None:
        """Give the time since the last call to the innermost part."""
        now = time.process_time(), time.time()
        self.processor[self._inside[-1]] += now[0] - self._last[0]
        self.clock[self._inside[-1]] += now[1] - self._last[1]
        self._last = now

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Count a method of an object as a part."""
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            self.count()
            outer = self._inside[-1]
            # The network of a validation is the validation's.
            stays = outer.startswith('validation') and part in NETWORK
            self._inside.append(outer if stays else part)
            try:
                return inner(*args, **kwargs)
            finally:
                self.count()
                self._inside.pop()

        setattr(owner, name, timed)


class EpochWatchHook(Hook):
    """Times one epoch, and prints what it saw."""

    priority = 'VERY_LOW'

    def before_train(self, runner: Any) -> None:
        """Put the watch everywhere."""
        self.watch = watch = Watch()
        model, wrapper, val = runner.model, runner.optim_wrapper, runner.val_loop
        watch.wrap(runner.train_loop, 'run_epoch', 'data')
        watch.wrap(runner.train_loop, 'run_iter', 'rest of a step')
        watch.wrap(model.data_preprocessor, 'forward', 'preprocessor')
        watch.wrap(model, '_run_forward', 'forward')
        watch.wrap(wrapper, 'backward', 'backward')
        watch.wrap(wrapper, 'step', 'optimizer')
        watch.wrap(val, 'run', 'validation: data')
        watch.wrap(val, 'run_iter', 'validation: network')
        watch.wrap(val.evaluator, 'process', 'validation: metrics')
        watch.wrap(val.evaluator, 'evaluate', 'validation: metrics')
        for hook in runner.hooks:
            kinds = {CheckpointHook: 'checkpoint', EMAHook: 'EMA'}
            part = next((p for k, p in kinds.items() if isinstance(hook, k)), 'hooks')
            for stage in Hook.stages:
                watch.wrap(hook, stage, part)
        watch.count()

    def after_train(self, runner: Any) -> None:
        """Print."""
        self.watch.count()
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = Path(runner.message_hub.get_info('last_ckpt')).stat().st_size
        row = {
            'steps': runner.iter,
            'checkpoint_mb': round(size / 1e6),
            'loaders': round(children.ru_utime + children.ru_stime, 2),
            'processor_s': {k: round(v, 2) for k, v in self.watch.processor.items()},
            'clock_s': {k: round(v, 2) for k, v in self.watch.clock.items()},
        }
        print(f'EPOCH {json.dumps(row)}', flush=True)


def main() -> None:
    """Measure and print."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    leaf, data, *options = sys.argv[1:]
    options += [f'data_root={data}', 'from_scratch=True', 'train_cfg.max_epochs=1']
    options.append('default_hooks.watch.type=epoch.EpochWatchHook')
    path = os.pathsep.join([str(ROOT), str(ROOT / 'benchmarks')])
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, 'tools/train.py', leaf, '--work-dir', folder]
        done = subprocess.run(
            [*command, '--cfg-options', *options],
            cwd=ROOT,
            env={**os.environ, 'PYTHONPATH': path, 'STARTED': repr(time.time())},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith('EPOCH ')]
    if not lines:
        raise SystemExit(done.stdout)
    row = json.loads(lines[0].removeprefix('EPOCH '))
    print(json.dumps({'benchmark': 'epoch', 'leaf': Path(leaf).stem, **row}))


if __name__ == '__main__':
    main()
