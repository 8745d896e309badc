"""Checks of a config's schedule against the real number of iterations."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from custom_datasets.checks.codes import find
from custom_datasets.config import iter_dicts
from custom_datasets.data.problems import Finding
from custom_datasets.text import counted

WARM_UP = 0.34
"""Share of a run above which a warm-up is too long."""


@dataclass(frozen=True)
class Run:
    """How long a training run is.

    Attributes:
        batch: Images in one iteration, over all processes.
        an_epoch: Iterations in an epoch.
        total: Iterations in the run.
    """

    batch: int
    an_epoch: int
    total: int
    by_epoch: bool


def measure_run(cfg: Mapping[str, Any], images: int, ranks: int) -> Run | None:
    """Count the iterations of a run; None where the config does not train.

    ``images`` is the size of the training set, repetitions included, ``ranks`` the
    number of processes that train.
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
        *_log_interval(cfg, run),
        *_validation(cfg, run),
    ]


def _learning_rate(cfg: Mapping[str, Any], run: Run) -> list[Finding]:
    scaling = cfg.get('auto_scale_lr') or {}
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    base, rate = scaling.get('base_batch_size'), optimizer.get('lr')
    if not rate:
        return []
    if not base:
        text = (
            f'lr={rate:g} with {counted(run.batch, "images")} per iteration; no '
            'auto_scale_lr.base_batch_size says how many it was tuned for'
        )
        return [find('learning-rate', text, case='its batch size is unknown')]
    factor = run.batch / base
    if scaling.get('enable') or factor == 1:
        text = (
            f'lr={rate:g} is for {counted(base, "images")} per iteration; this run has '
            f'{run.batch}, so it trains with {rate * factor:g}'
        )
        return [find('learning-rate', text, case='it fits, or is scaled')]
    text = (
        f'lr={rate:g} was tuned for {counted(base, "images")} per iteration, this run '
        f'has {run.batch}: it is {1 / factor:.3g} times what it should be'
    )
    hint = f'set auto_scale_lr.enable=True, or lr={rate * factor:g}'
    return [find('learning-rate', text, hint=hint)]


def _schedulers(cfg: Mapping[str, Any], run: Run) -> list[Finding]:
    if not run.total:
        return []
    findings = []
    for scheduler in iter_dicts(cfg.get('param_scheduler')):
        kind = str(scheduler.get('type'))
        unit = run.an_epoch if scheduler.get('by_epoch', True) else 1
        begin, end = scheduler.get('begin', 0) * unit, scheduler.get('end')
        if kind in ('LinearLR', 'ConstantLR') and end and begin == 0:
            length = end * unit
            if length > WARM_UP * run.total:
                fit = max(min(run.an_epoch, run.total // 10), 1)
                text = (
                    f'the warm-up of {counted(length, "iterations")} is '
                    f'{length / run.total:.0%} of the run '
                    f'({counted(run.total, "iterations")}, {run.an_epoch} per epoch)'
                )
                hint = f'end it after about {fit}: end={fit}, by_epoch=False'
                findings.append(find('warm-up', text, hint=hint))
        late = [m for m in scheduler.get('milestones') or () if m * unit >= run.total]
        if begin >= run.total or late:
            what = f'milestones {late}' if late else f'begin={scheduler.get("begin")}'
            text = (
                f'{kind}: {what} is never reached in '
                f'{counted(run.total, "iterations")} '
                f'({run.total / run.an_epoch:g} epochs)'
            )
            findings.append(find('scheduler-too-late', text))
    return findings


def _log_interval(cfg: Mapping[str, Any], run: Run) -> list[Finding]:
    logger = (cfg.get('default_hooks') or {}).get('logger') or {}
    interval = logger.get('interval', 10)
    # Where epochs count, mmengine logs the last iteration of one that is shorter.
    if run.by_epoch or not run.total or interval <= run.total:
        return []
    text = f'the log has a line every {interval} iterations; the run has {run.total}'
    hint = f'default_hooks.logger.interval={max(run.total // 5, 1)}'
    return [find('log-interval', text, hint=hint)]


def _validation(cfg: Mapping[str, Any], run: Run) -> list[Finding]:
    loop = cfg.get('train_cfg') or {}
    hooks = cfg.get('default_hooks') or {}
    best = (hooks.get('checkpoint') or {}).get('save_best')
    length = loop.get('max_epochs') if run.by_epoch else run.total
    # Whatever val_interval is, loops validate after their last epoch, too.
    first = loop.get('val_begin', 1)
    if not cfg.get('val_dataloader') or cfg.get('val_cfg') is None:
        reason = 'there is no val_dataloader or no val_cfg'
    elif length and first > length:
        unit = 'epochs' if run.by_epoch else 'iterations'
        reason = f'first after {first} {unit}, but the run has {length}'
    else:
        return []
    also = f'; save_best={best!r} needs it' if best else ''
    return [find('never-validates', f'validation never runs: {reason}{also}')]
