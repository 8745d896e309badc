"""Training and testing a config on each of its folds, and what they say together."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from custom_datasets.checking.run import load_config
from custom_datasets.cli import add_cfg_options
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.evaluation.predictions import read_samples, write_samples
from custom_datasets.overrides import fold_folder
from custom_datasets.reporting.frame import write_files
from custom_datasets.runs.cross_validation_folds import Folds, prepare_folds
from custom_datasets.runs.cross_validation_jobs import (
    Interrupted,
    Job,
    run_jobs,
    steps_done,
    visible_devices,
)
from custom_datasets.runs.cross_validation_plan import (
    Plan,
    locked,
    settings_of,
)
from custom_datasets.runs.cross_validation_report import (
    NOTES,
    out_of_fold,
    summarise,
)

OUT_OF_FOLD = 'out_of_fold.pkl'
REPORT = 'cross_validation.json'
TABLE = 'cross_validation.md'

_PREDICTIONS = 'held_out_predictions.pkl'
_CONFIG = 'held_out.py'


def cross_validate(
    config: str,
    count: int,
    *,
    options: Sequence[str] = (),
    seed: int = 0,
    gpus: int | None = None,
    work_dir: str | None = None,
    say: Callable[[str], None] = print,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Train and test each fold, or what is left of an earlier call.

    A fold trains with ``fold=K`` in ``<work_dir>/fold_K`` and is tested on what
    it holds out, with its last checkpoint. ``cross_validation.json``,
    ``cross_validation.md`` and ``out_of_fold.pkl`` are written once all are done.

    Args:
        config: The leaf.
        count: How many folds.
        options: What ``--cfg-options`` sets, ``KEY=VALUE`` each.
        seed: Of the split, where there is none yet.
        gpus: How many folds to train at once, one a GPU; all GPUs if None.
        work_dir: By default ``work_dirs/<config>``.
        say: Called with each line on what goes on.
        progress: Called with epochs (or iterations) done, and of all folds.

    Returns:
        The table, what it means, and where everything is.

    Raises:
        UserError: See :func:`prepare_folds` and :class:`Plan`; a fold failed,
            or the command was told to stop. What is done is kept.
    """
    settings = _parsed(options)
    cfg = load_config(config, settings)
    if cfg.get('fold') is not None:
        raise ConfigError(f'fold={cfg.fold}: cross-validation sets it itself')
    folds = prepare_folds(cfg, count, seed)
    say(folds.report)
    stem = os.path.splitext(os.path.basename(config))[0]
    work_dir = work_dir or os.path.join('work_dirs', stem)
    devices = visible_devices(gpus)
    with locked(work_dir) as lock:
        plan = Plan(work_dir, settings_of(cfg), count, folds.digest)
        jobs = [
            _job(config, options, settings, work_dir, fold)
            for fold in range(count)
            if not _is_done(plan, work_dir, fold)
        ]
        if len(jobs) < count:
            kept = sorted(set(range(count)) - {job.fold for job in jobs})
            say(f'done before: {", ".join(map(fold_folder, kept))}')

        def finished(job: Job, checkpoint: str) -> None:
            plan.finish(job.fold, checkpoint)
            say(f'{fold_folder(job.fold)}: trained and tested ({job.folder})')

        try:
            failures = run_jobs(
                jobs,
                devices,
                lock,
                finished,
                partial(_show, progress, cfg, work_dir, count),
            )
        except Interrupted as error:
            raise UserError(
                'interrupted; the same command goes on where it stopped'
            ) from error
        text = _report(config, work_dir, plan, folds, count)
    if failures:
        said = '\n\n'.join(f'{fold_folder(n)}: {t}' for n, t in failures.items())
        raise UserError(
            f'{len(failures)} of {count} folds failed\n\n{said}\n\n{text}\n\n'
            'The same command tries what is missing; what is done is kept.'
        )
    return text


def _parsed(options: Sequence[str]) -> dict[str, Any]:
    """Read settings as the stock scripts do."""
    if not options:
        return {}
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    parsed: dict[str, Any] = parser.parse_args(['--cfg-options', *options]).cfg_options
    return parsed


def _job(
    config: str,
    options: Sequence[str],
    settings: dict[str, Any],
    work_dir: str,
    fold: int,
) -> Job:
    """Prepare a fold: what is validated on is what it is tested on."""
    folder = os.path.join(work_dir, fold_folder(fold))
    cfg = load_config(config, {**settings, 'fold': fold})
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    path = os.path.join(folder, _CONFIG)
    write_files(folder, {_CONFIG: cfg.pretty_text.encode()})
    predictions = os.path.join(folder, _PREDICTIONS)
    where = ['--work-dir', os.path.join(folder, 'held_out'), '--out', predictions]
    return Job(
        fold=fold,
        folder=folder,
        train=[
            *_tool('train.py'),
            *(config, '--work-dir', folder, '--cfg-options', *options, f'fold={fold}'),
        ],
        test=lambda checkpoint: [*_tool('test.py'), path, checkpoint, *where],
    )


def _tool(name: str) -> tuple[str, str]:
    return sys.executable, str(Path(__file__).resolve().parents[2] / 'tools' / name)


def _is_done(plan: Plan, work_dir: str, fold: int) -> bool:
    path = os.path.join(work_dir, fold_folder(fold), _PREDICTIONS)
    return fold in plan.done and os.path.isfile(path)


def _show(
    progress: Callable[[int, int], None] | None, cfg: Any, work_dir: str, count: int
) -> None:
    """Tell how far all folds are, by their checkpoints."""
    train_cfg = cfg.get('train_cfg') or {}
    steps = train_cfg.get('max_epochs') or train_cfg.get('max_iters')
    if progress and steps:
        folders = (os.path.join(work_dir, fold_folder(fold)) for fold in range(count))
        progress(sum(map(steps_done, folders)), steps * count)


def _report(config: str, work_dir: str, plan: Plan, folds: Folds, count: int) -> str:
    """Write what came out if all is done; return the table."""
    samples = {
        fold: read_samples(os.path.join(work_dir, fold_folder(fold), _PREDICTIONS))
        for fold in range(count)
        if _is_done(plan, work_dir, fold)
    }
    if not samples:
        return 'No fold is done.'
    summary = summarise(samples, folds.classes, count)
    notes = [
        f'fold_{fold} holds out {len(folds.held_out[fold])} images, but '
        f'{len(samples[fold])} were predicted.'
        for fold in samples
        if len(samples[fold]) != len(folds.held_out[fold])
    ]
    title = f'Cross-validation of {os.path.basename(config)}: {len(samples)} of {count}'
    lines = [*notes, *NOTES]
    tail = '\n'.join(f'- {line}' for line in lines)
    text = f'{title} folds\n\n{summary.as_markdown()}\n\n{tail}'
    if len(samples) < count:
        return text
    content = {'config': config, 'classes': list(folds.classes), **summary.as_json()}
    content['checkpoints'] = [plan.done[fold] for fold in samples]
    content['notes'] = lines
    each = summary.as_markdown(each_fold=True)
    written = {
        REPORT: json.dumps(content, indent=1, ensure_ascii=False) + '\n',
        TABLE: f'# {title} folds\n\n{each}\n\n{tail}\n',
    }
    write_samples(os.path.join(work_dir, OUT_OF_FOLD), out_of_fold(samples))
    write_files(work_dir, {name: text.encode() for name, text in written.items()})
    names = ', '.join((REPORT, TABLE, OUT_OF_FOLD))
    return f'{text}\n\n{work_dir}: {names}'
