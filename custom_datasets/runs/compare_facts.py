"""What a table of runs says of each, beside its metrics."""

from collections.abc import Callable
from typing import Any

from custom_datasets.runs.compare_runs import ComparedRun
from custom_datasets.runs.markdown import duration


def _best(run: ComparedRun) -> str | None:
    best = run.get('best')
    return best and f'{best["metric"]} {best["value"]:.4g}'


def _best_epoch(run: ComparedRun) -> str | None:
    last, best = run.get('schedule', 'epochs'), run.get('best', 'epoch')
    return None if best is None else f'{best} of {last}'


def _batch(run: ComparedRun) -> str | None:
    batch = run.get('batch') or {}
    total = batch.get('total')
    ranks, steps = batch.get('ranks', 1), batch.get('accumulated', 1)
    how = [f'{ranks} GPUs'] if ranks > 1 else []
    how += [f'{steps} steps'] if steps > 1 else []
    return f'{total} ({", ".join(how)})' if total and how else total


def _parameters(run: ComparedRun) -> str | None:
    count = run.get('model', 'parameters')
    return count and f'{count / 1e6:.2f} M'


def _time(run: ComparedRun) -> str | None:
    seconds = run.get('wall_seconds')
    return None if seconds is None else duration(seconds)


def _speed(run: ComparedRun) -> str | None:
    speed = run.get('speed', 'images_per_second')
    return None if speed is None else f'{speed:.1f}'


def _memory(run: ComparedRun) -> str | None:
    size = run.get('speed', 'peak_memory_mb')
    return None if size is None else f'{size / 1000:.2f} GB'


def _hardware(run: ComparedRun) -> str | None:
    hardware = run.get('hardware') or {}
    gpus = hardware.get('gpus')
    if gpus:
        first = gpus[0]
        name = first.get('name') if isinstance(first, dict) else first
        return f'{len(gpus)} x {name}'
    cores = hardware.get('cores')
    return cores and f'CPU, {cores} cores'


def _commit(run: ComparedRun) -> str | None:
    commit = run.get('git', 'commit')
    if commit is None:
        return None
    return f'{commit[:7]}{" and changes" if run.get("git", "dirty") else ""}'


FACTS: dict[str, Callable[[ComparedRun], Any]] = {
    'status': lambda run: run.get('status'),
    'best on validation': _best,
    'best epoch': _best_epoch,
    'learning rate': lambda run: run.get('optimizer', 'lr'),
    'batch': _batch,
    'seed': lambda run: run.get('seed'),
    'parameters': _parameters,
    'wall time': _time,
    'images/s': _speed,
    'peak memory': _memory,
    'hardware': _hardware,
    'commit': _commit,
}
"""Writes each fact of a run for people; None where it is not known."""
PLAIN: dict[str, tuple[str, ...]] = {
    'status': ('status',),
    'validation metric': ('best', 'metric'),
    'best on validation': ('best', 'value'),
    'best epoch': ('best', 'epoch'),
    'learning rate': ('optimizer', 'lr'),
    'batch': ('batch', 'total'),
    'seed': ('seed',),
    'parameters': ('model', 'parameters'),
    'wall seconds': ('wall_seconds',),
    'images/s': ('speed', 'images_per_second'),
    'peak memory MB': ('speed', 'peak_memory_mb'),
    'commit': ('git', 'commit'),
    'dirty': ('git', 'dirty'),
}
"""Where each plain number of a run is in its record, for a file of such numbers."""
