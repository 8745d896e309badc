"""Checks of a config's schedule against the real number of iterations."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from custom_datasets.config import iter_dicts
from custom_datasets.data.problems import Finding

WARM_UP = 0.34
"""Share of a run above which a warm-up is too long."""


@dataclass(frozen=True)
class Run:
    """How long a training run is.

    Attributes:
        batch: Images in one iteration, over all processes.
        an_epoch: Iterations in an epoch.
        total: Iterations in the run.
        by_epoch: Whether the loop counts in epochs.
    """

    batch: int
    an_epoch: int
    total: int
    by_epoch: bool


def measure_run(cfg: Mapping[str, Any], images: int, ranks: int) -> Run | None:
    """Count the iterations of a run.

    Args:
        cfg: The config.
        images: How many the training set has, repetitions included.
        ranks: Processes that train at once.

    Returns:
        None where the config does not train.
    """
    loader, loop = cfg.get('train_dataloader') or {}, cfg.get('train_cfg')
    if not loop or not images:
        return None
    size = loader.get('batch_size') or 1
    share = math.ceil(images / ranks)
    an_epoch = share // size if loader.get('drop_last') else math.ceil(share / size)
    epochs = loop.get('max_epochs')
    total = epochs * an_epoch if epochs else loop.get('max_iters') or 0
    return Run(size * ranks, max(an_epoch, 1), total, bool(epochs))


def check_schedule(cfg: Mapping[str, Any], run: Run) -> list[Finding]:
    """Check the learning rate, warm-up, log interval and validation."""
    return [
        *_learning_rate(cfg, run),
        *_schedulers(cfg, run),
        *_intervals(cfg, run),
        *_validation(cfg, run),
    ]


def _learning_rate(cfg: Mapping[str, Any], run: Run) -> list[Finding]:
    scaling = cfg.get('auto_scale_lr') or {}
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    base, rate = scaling.get('base_batch_size'), optimizer.get('lr')
    if not rate:
        return []
    if not base:
        return [
            _finding(
                'learning-rate',
                'note',
                f'lr={rate:g} for {run.batch} images an iteration; no '
                'auto_scale_lr.base_batch_size says what it was tuned for',
                'auto_scale_lr=dict(enable=True, base_batch_size=...) scales it',
            )
        ]
    factor = run.batch / base
    if scaling.get('enable') or factor == 1:
        return [
            _finding(
                'learning-rate',
                'note',
                f'lr={rate:g} is for {base} images; this run has {run.batch} an '
                f'iteration, so it trains with {rate * factor:g}',
            )
        ]
    return [
        _finding(
            'learning-rate',
            'warning',
            f'lr={rate:g} was tuned for {base} images an iteration, this run has '
            f'{run.batch}: it is {1 / factor:.3g} times what it should be',
            f'set auto_scale_lr.enable=True, or lr={rate * factor:g}',
        )
    ]


def _schedulers(cfg: Mapping[str, Any], run: Run) -> list[Finding]:
    findings = []
    if not run.total:
        return []
    for scheduler in iter_dicts(cfg.get('param_scheduler')):
        kind = str(scheduler.get('type'))
        epochs = scheduler.get('by_epoch', True)
        unit = run.an_epoch if epochs else 1
        begin = scheduler.get('begin', 0) * unit
        end = scheduler.get('end')
        if kind in ('LinearLR', 'ConstantLR') and end and begin == 0:
            length = end * unit
            share = length / run.total
            if share > WARM_UP:
                fit = max(min(run.an_epoch, run.total // 10), 1)
                findings.append(
                    _finding(
                        'warm-up',
                        'warning',
                        f'the warm-up of {length} iterations is {share:.0%} of the '
                        f'run ({run.total} iterations, {run.an_epoch} an epoch)',
                        f'end it after about {fit}: end={fit}, by_epoch=False',
                    )
                )
        late = [m for m in scheduler.get('milestones') or () if m * unit >= run.total]
        if begin >= run.total or late:
            what = f'milestones {late}' if late else f'begin={scheduler.get("begin")}'
            findings.append(
                _finding(
                    'scheduler-too-late',
                    'warning',
                    f'{kind}: {what} is never reached in {run.total} iterations '
                    f'({run.total / run.an_epoch:g} epochs)',
                    'the learning rate does not fall as meant; fit it to the run',
                )
            )
    return findings


def _intervals(cfg: Mapping[str, Any], run: Run) -> list[Finding]:
    logger = (cfg.get('default_hooks') or {}).get('logger') or {}
    interval = logger.get('interval', 10)
    if interval <= run.an_epoch:
        return []
    return [
        _finding(
            'log-interval',
            'warning',
            f'the log has a line each {interval} iterations, but an epoch has '
            f'{run.an_epoch}',
            f'default_hooks.logger.interval={max(run.an_epoch // 5, 1)}',
        )
    ]


def _validation(cfg: Mapping[str, Any], run: Run) -> list[Finding]:
    loop = cfg.get('train_cfg') or {}
    hooks = cfg.get('default_hooks') or {}
    best = (hooks.get('checkpoint') or {}).get('save_best')
    has_loader, has_loop = (
        bool(cfg.get('val_dataloader')),
        cfg.get('val_cfg') is not None,
    )
    length = loop.get('max_epochs') if run.by_epoch else run.total
    first = max(loop.get('val_interval', 1), loop.get('val_begin', 1))
    if has_loader and has_loop and first <= (length or first):
        return []
    if has_loader and has_loop:
        unit = 'epochs' if run.by_epoch else 'iterations'
        text = f'first after {first} {unit}, but the run has {length}'
    else:
        text = 'there is no val_dataloader or no val_cfg'
    also = f'; save_best={best!r} needs it' if best else ''
    return [
        _finding(
            'never-validates',
            'warning',
            f'validation never runs: {text}{also}',
            'lower train_cfg.val_interval',
        )
    ]


def _finding(code: str, severity: str, message: str, hint: str = '') -> Finding:
    return Finding(code=code, severity=severity, message=message, hint=hint, split=None)
