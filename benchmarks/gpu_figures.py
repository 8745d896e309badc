"""The figures of ``gpu.py``: each function yields the lines of one."""

import gc
import math
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.hooks import Hook
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from benchmarks.gpu_data import Setup, data_of
from benchmarks.gpu_training import (
    Timed,
    Trainee,
    Way,
    read_leaf,
    wait_for,
    ways_compiled,
    ways_in_turn,
)
from custom_datasets.ops.extension import get_compiler_version
from custom_datasets.training.surroundings import hardware, versions

ROOT = Path(__file__).resolve().parents[1]
LEAVES = {path.stem: path for path in (ROOT / 'configs').glob('*/*.py')}
SUBJECTS = {
    'detector': 'retinanet_r50_fpn_1xb4-24e_bccd',
    'classifier': 'resnet50_1xb32-24e_waste',
}
Lines = Iterator[dict[str, Any]]


def machine(setup: Setup, subject: str) -> Lines:
    """Say what it is measured on."""
    line = {
        'device': setup.device,
        'tiny': setup.tiny,
        **hardware(),
        'threads': torch.get_num_threads(),
        'versions': versions(),
        'operators': get_compiler_version(),
    }
    if setup.device == 'cuda':
        line |= {'cuda': torch.version.cuda, 'cudnn': torch.backends.cudnn.version()}
    yield line


def ops(setup: Setup, subject: str) -> Lines:
    """Run the tests of the operators that have a device."""
    tests = ROOT / 'tests/ops' / ('test_focal.py' if setup.tiny else '')
    command = [sys.executable, '-m', 'pytest', '-q', '-rfE', '-p', 'no:cacheprovider']
    done = subprocess.run(
        [*command, '-k', setup.device, str(tests)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    counts = {kind: int(n) for n, kind in re.findall(r'(\d+) (\w+)', _last(done))}
    failures = re.findall(r'^(?:FAILED|ERROR) (\S+)', done.stdout, re.MULTILINE)
    line: dict[str, Any] = {kind: counts.get(kind, 0) for kind in ('passed', 'failed')}
    if done.returncode:
        line['error'] = f'pytest: status {done.returncode}, {", ".join(failures)}'
    yield line


def _last(done: 'subprocess.CompletedProcess[str]') -> str:
    return done.stdout.strip().rpartition('\n')[2]


def step(setup: Setup, subject: str) -> Lines:
    """Time the training step of a leaf from scratch, in float32 and with --amp."""
    leaf, steps = LEAVES[subject], _steps(setup, 'step')
    amp = 'float16' if setup.device == 'cuda' else 'bfloat16'
    for way in (Way('float32'), Way('--amp', amp)):
        line = {'way': way.name, 'precision': way.precision}
        try:
            with _memory(setup) as peak:
                trainee = Trainee(leaf, setup, way)
                trainee.keep_batches(2)
                trainee.run(steps.warm_up)
            rounds = [trainee.run(steps.round) for _ in range(steps.rounds)]
        except Exception as error:
            yield {**line, 'error': describe(error)}
            continue
        finally:
            trainee = None
            clean_up(setup)
        speed = _speed(rounds)
        del speed['waiting_for_data']
        yield {**line, 'data': data_of(leaf, setup).source, **speed, **peak}


def in_turn(setup: Setup, subject: str) -> Lines:
    """Time several ways to train one leaf, whose rounds take turns."""
    yield from _compare(setup, subject, ways_in_turn(subject == 'detector'))


def compiled(setup: Setup, subject: str) -> Lines:
    """Time a leaf before and behind torch.compile."""
    yield from _compare(setup, subject, ways_compiled(subject == 'detector'))


def _compare(setup: Setup, subject: str, ways: Sequence[Way]) -> Lines:
    leaf, steps = LEAVES[SUBJECTS[subject]], _steps(setup, 'in turn')
    trainees, first, peaks = {}, {}, {}
    for way in ways:
        if way.needs_gpu and setup.device != 'cuda':
            yield {'way': way.name, 'not_measured': 'needs CUDA'}
            continue
        try:
            start = time.perf_counter()
            with _memory(setup) as peak:
                trainees[way] = Trainee(leaf, setup, way)
                trainees[way].run(steps.warm_up)
            first[way], peaks[way] = time.perf_counter() - start, peak
        except Exception as error:
            trainees.pop(way, None)
            yield {'way': way.name, 'error': describe(error)}
    rounds: dict[Way, list[Timed]] = {way: [] for way in trainees}
    for _ in range(steps.rounds):
        for way, trainee in list(trainees.items()):
            try:
                # While others had their turn, its workers filled their queue.
                trainee.run(steps.warm_up)
                rounds[way].append(trainee.run(steps.round))
            except Exception as error:
                del trainees[way]
                yield {'way': way.name, 'error': describe(error)}
    seconds = {
        way: statistics.median(timed.seconds for timed in rounds[way])
        for way in trainees
    }
    base = ways[0]
    for way, own in seconds.items():
        line = {'way': way.name, 'data': data_of(leaf, setup).source}
        line |= {**_speed(rounds[way]), **peaks[way], 'first_s': round(first[way], 1)}
        if base in seconds:
            line['times_as_fast'] = round(seconds[base] / own, 3)
            if way.compiled:
                late, gain = first[way] - first[base], seconds[base] - own
                line['pays_after_steps'] = math.ceil(late / gain) if gain > 0 else None
        yield line


def loop(setup: Setup, subject: str) -> Lines:
    """Time whole trainings of the detector, by mmengine's runner and by ours."""
    leaf, steps = LEAVES[SUBJECTS['detector']], _steps(setup, 'loop')
    rounds: dict[str, list[Timed]] = {'stock runner': [], 'our runner': []}
    for _ in range(steps.loops):
        for name, timed in rounds.items():
            with tempfile.TemporaryDirectory() as folder:
                cfg = read_leaf(leaf, setup, {'work_dir': folder, 'launcher': 'none'})
                most = steps.warm_up + steps.round
                cfg.train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': most}
                saver = {'interval': -1, 'save_last': False, 'save_best': None}
                cfg.default_hooks.checkpoint.update(saver)
                cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
                # mmengine keeps visualizers and loggers by these names.
                cfg.experiment_name = cfg.visualizer.name = Path(folder).name
                if name == 'stock runner':
                    runner = Runner.from_cfg(cfg)
                else:
                    runner = RUNNERS.build(cfg)
                clock = _Clock(setup.device, steps.warm_up)
                runner.register_hook(clock, 'LOWEST')
                runner.train()
                timed.append(clock.timed())
    for name, timed in rounds.items():
        yield {'way': name, 'data': data_of(leaf, setup).source, **_speed(timed)}


class _Clock(Hook):  # type: ignore[misc]
    """Times what lies between the first iterations and the last."""

    def __init__(self, device: str, warm_up: int) -> None:
        self._device, self._warm_up = device, warm_up
        self._start = self._end = self._asked = self._waited = self._loss = 0.0
        self._images = self._steps = 0

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        if self._start:
            self._waited += time.perf_counter() - self._asked
            self._images += len(data_batch['inputs'])
            self._steps += 1

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if runner.iter + 1 == self._warm_up:
            wait_for(self._device)
            self._start = time.perf_counter()
        if runner.iter + 1 == runner.max_iters:
            wait_for(self._device)
            self._end = time.perf_counter()
            self._loss = float(outputs['loss'])
        self._asked = time.perf_counter()

    def timed(self) -> Timed:
        seconds = self._end - self._start
        per_step = seconds / self._steps, self._images / self._steps
        return Timed(*per_step, self._waited / seconds, self._loss)


class _Steps(NamedTuple):
    """How many steps are not counted, are in a round, rounds, and whole trainings."""

    warm_up: int
    round: int
    rounds: int
    loops: int


def _steps(setup: Setup, kind: str) -> _Steps:
    """Return fewer steps for the many leaves, so that all fit into ten minutes."""
    if setup.tiny:
        return _Steps(1, 1, 1, 1)
    return _Steps(5, 10, 3, 1) if kind == 'step' else _Steps(8, 20, 5, 2)


def _speed(rounds: Sequence[Timed]) -> dict[str, Any]:
    """Return the medians of some rounds; an infinite loss is no number in JSON."""
    seconds, rate, waiting = (
        statistics.median(values)
        for values in zip(
            *((r.seconds, r.images / r.seconds, r.waiting) for r in rounds),
            strict=True,
        )
    )
    loss = rounds[-1].loss
    return {
        'ms': round(1000 * seconds, 2),
        'images_per_second': round(rate, 1),
        'waiting_for_data': round(waiting, 3),
        'loss': round(loss, 3) if math.isfinite(loss) else str(loss),
    }


@contextmanager
def _memory(setup: Setup) -> Iterator[dict[str, int]]:
    """Fill in the most that was allocated on the device inside of it."""
    peak: dict[str, int] = {}
    if setup.device != 'cuda':
        yield peak
        return
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    yield peak
    peak['peak_memory_mb'] = (torch.cuda.max_memory_allocated() - before) >> 20


def describe(error: Exception) -> str:
    """Say in a line what went wrong."""
    text = str(error).strip().partition('\n')[0]
    return f'{type(error).__name__}: {text}'[:300]


def clean_up(setup: Setup) -> bool:
    """Free what is left of a figure, and say whether the device still works."""
    gc.collect()
    if setup.device != 'cuda':
        return True
    try:
        torch.cuda.empty_cache()
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True


KINDS: dict[str, Callable[[Setup, str], Lines]] = {
    'machine': machine,
    'ops': ops,
    'step': step,
    'in turn': in_turn,
    'compiled': compiled,
    'loop': loop,
}
