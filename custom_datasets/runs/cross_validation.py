"""Training and testing a config on each of its folds, and what they say together."""

import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from custom_datasets.checking.run import load_config
from custom_datasets.cli import parse_options
from custom_datasets.ensembling.ensemble import Request, make_ensemble
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.evaluation.predictions import read_samples, write_samples
from custom_datasets.overrides import fold_folder
from custom_datasets.reporting.frame import write_files
from custom_datasets.runs.cross_validation_folds import (
    Folds,
    prepare_folds,
    require_apart,
    test_list,
)
from custom_datasets.runs.cross_validation_plan import Plan
from custom_datasets.runs.cross_validation_report import (
    NOTES,
    out_of_fold,
    summarise,
)
from custom_datasets.runs.jobs import (
    Interrupted,
    Job,
    last_checkpoint,
    run_jobs,
    steps_done,
    tool_command,
    visible_devices,
)
from custom_datasets.runs.resuming import digest_of, locked, settings_of

OUT_OF_FOLD = 'out_of_fold.pkl'
REPORT = 'cross_validation.json'
TABLE = 'cross_validation.md'
TEST_SET = 'test_set_predictions.pkl'

_PREDICTIONS = 'held_out_predictions.pkl'
_CONFIG = 'held_out.py'


def cross_validate(
    config: str,
    count: int,
    *,
    options: Sequence[str] = (),
    seed: int = 0,
    gpus: int | None = None,
    predict: bool = False,
    work_dir: str | None = None,
    say: Callable[[str], None] = print,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Train and test each fold, or what is left of an earlier call.

    A fold trains with ``fold=K`` in ``<work_dir>/fold_K`` and is tested on what
    it holds out, with its last checkpoint. ``cross_validation.json``,
    ``cross_validation.md`` and ``out_of_fold.pkl`` are written once all are done.
    With ``predict``, each fold's model predicts the config's own test set, which
    needs no annotations, and ``test_set_predictions.pkl`` is the ensemble of them.

    Args:
        config: The leaf.
        count: How many folds.
        options: What ``--cfg-options`` sets, ``KEY=VALUE`` each.
        seed: Of the split, where there is none yet.
        gpus: How many folds to train at once, one a GPU; all GPUs if None.
        predict: Whether to predict the test set.
        work_dir: By default ``work_dirs/<config>``.
        say: Called with each line on what goes on.
        progress: Called with epochs (or iterations) done, and of all folds.

    Returns:
        The table, what it means, and where everything is.

    Raises:
        UserError: See :func:`prepare_folds`, :func:`require_apart` and
            :class:`Plan`; a fold failed, or the command was told to stop. What
            is done is kept.
    """
    settings = parse_options(options)
    cfg = load_config(config, settings)
    if cfg.get('fold') is not None:
        raise ConfigError(f'fold={cfg.fold}: cross-validation sets it itself')
    folds = prepare_folds(cfg, count, seed)
    test_set = None
    if predict:
        require_apart(cfg, folds)
        test_set = digest_of([test_list(cfg)])
    say(folds.report)
    stem = os.path.splitext(os.path.basename(config))[0]
    work_dir = work_dir or os.path.join('work_dirs', stem)
    devices = visible_devices(gpus)
    numbers = {fold_folder(fold): fold for fold in range(count)}
    with locked(work_dir) as lock:
        plan = Plan(work_dir, settings_of(cfg), count, folds.digest)
        jobs = [
            _job(config, options, settings, plan, work_dir, fold, predict)
            for fold in range(count)
            if not _is_done(plan, work_dir, fold)
            or (predict and not _is_predicted(plan, work_dir, fold, test_set))
        ]
        if len(jobs) < count:
            left = {job.name for job in jobs}
            kept = [name for name in numbers if name not in left]
            say(f'done before: {", ".join(kept)}')

        def finished(job: Job, checkpoint: str) -> None:
            plan.finish(numbers[job.name], checkpoint, test_set)
            what = 'test set predicted' if job.checkpoint else 'trained and tested'
            say(f'{job.name}: {what} ({job.folder})')

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
        if predict and not failures:
            paths = [_path(work_dir, fold, TEST_SET) for fold in range(count)]
            request = Request(paths, os.path.join(work_dir, TEST_SET))
            text += (
                f'\n\nEnsemble of the folds on the test set: {make_ensemble(request)}'
            )
    if failures:
        said = '\n\n'.join(f'{name}: {t}' for name, t in failures.items())
        raise UserError(
            f'{len(failures)} of {count} folds failed\n\n{said}\n\n{text}\n\n'
            'The same command tries what is missing; what is done is kept.'
        )
    return text


def _job(
    config: str,
    options: Sequence[str],
    settings: dict[str, Any],
    plan: Plan,
    work_dir: str,
    fold: int,
    predict: bool,
) -> Job:
    """Prepare a fold: what is validated on is what it is tested on."""
    folder = os.path.join(work_dir, fold_folder(fold))
    cfg = load_config(config, {**settings, 'fold': fold})
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    path = os.path.join(folder, _CONFIG)
    write_files(folder, {_CONFIG: cfg.pretty_text.encode()})

    def test_command(config: str, name: str, *more: str) -> Callable[[str], list[str]]:
        where = ['--work-dir', os.path.join(folder, name.split('_predictions')[0])]
        where += ['--out', os.path.join(folder, name)]
        return lambda checkpoint: [
            *(*tool_command('test.py'), config, checkpoint, *where, *more)
        ]

    given = ['--cfg-options', *options] if options else []
    return Job(
        name=fold_folder(fold),
        folder=folder,
        train=[
            *tool_command('train.py'),
            *(config, '--work-dir', folder, '--cfg-options', *options, f'fold={fold}'),
        ],
        test=test_command(path, _PREDICTIONS),
        predict=test_command(config, TEST_SET, *given) if predict else None,
        checkpoint=_checkpoint(plan, folder, fold)
        if _is_done(plan, work_dir, fold)
        else None,
    )


def _path(work_dir: str, fold: int, name: str) -> str:
    return os.path.join(work_dir, fold_folder(fold), name)


def _is_done(plan: Plan, work_dir: str, fold: int) -> bool:
    return fold in plan.done and os.path.isfile(_path(work_dir, fold, _PREDICTIONS))


def _is_predicted(plan: Plan, work_dir: str, fold: int, test_set: str | None) -> bool:
    """Tell whether the test list as it is now has been predicted."""
    there = os.path.isfile(_path(work_dir, fold, TEST_SET))
    return there and plan.predicted.get(fold) == test_set


def _checkpoint(plan: Plan, folder: str, fold: int) -> str | None:
    """Return a fold's checkpoint; the folder may have moved since it was noted."""
    path = plan.done[fold]
    return path if os.path.isfile(path) else last_checkpoint(folder)


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
        fold: read_samples(_path(work_dir, fold, _PREDICTIONS))
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
