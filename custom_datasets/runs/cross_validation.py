"""Training and testing a config on each of its folds, and what they say together."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from custom_datasets.checks.check import load_config
from custom_datasets.cli import parse_options
from custom_datasets.config import fold_folder, fold_numbers
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.evaluation.intervals import LEVEL, RESAMPLES
from custom_datasets.evaluation.results import (
    Floats,
    Results,
    Samples,
    classification_results,
    detection_results,
    is_detection,
    read_samples,
    write_samples,
)
from custom_datasets.files import json_bytes, write_files, write_json
from custom_datasets.predicting.ensemble import Request, make_ensemble
from custom_datasets.runs.comparison import Measured, Metric, measure
from custom_datasets.runs.folds import Folds, prepare_folds, require_apart, test_list
from custom_datasets.runs.jobs import (
    Interrupted,
    Job,
    digest_of,
    last_checkpoint,
    listed_changes,
    locked,
    run_jobs,
    setting_changes,
    settings_of,
    steps_done,
    tool_command,
    visible_devices,
)
from custom_datasets.runs.settings_diff import Settings
from custom_datasets.runs.tables import markdown_table, written, written_estimate

PLAN = 'cross_validation.plan.json'


class Plan:
    """A work directory's own note on the folds in it.

    Args:
        work_dir: The folder of all folds.
        settings: Everything in the config that matters for the result.
        folds: How many folds there are.
        digest: Of their lists.

    Raises:
        UserError: The folder holds another cross-validation, or folds that
            were trained by hand.
    """

    def __init__(
        self, work_dir: str, settings: Settings, folds: int, digest: str
    ) -> None:
        """Read the note, or make the first one."""
        self.path = os.path.join(work_dir, PLAN)
        self.done: dict[int, str] = {}
        self.predicted: dict[int, str] = {}
        self._settings = settings
        self._lists = {'folds': folds, 'digest': digest}
        folders = [fold_folder(fold) for fold in fold_numbers(work_dir)]
        trained = any(last_checkpoint(os.path.join(work_dir, f)) for f in folders)
        if os.path.isfile(self.path):
            self._read(work_dir, trained)
            return
        if folders:
            raise UserError(
                f'{work_dir}: has {", ".join(folders)}, which this command did not '
                'train; give another --work-dir'
            )
        self._write()

    def finish(self, fold: int, checkpoint: str, test_set: str | None = None) -> None:
        """Note that a fold is trained and tested.

        Args:
            fold: Its number.
            checkpoint: Which was tested.
            test_set: The digest of the test list, if that was predicted.
        """
        self.done[fold] = checkpoint
        self.predicted.pop(fold, None)
        if test_set is not None:
            self.predicted[fold] = test_set
        self._write()

    def _read(self, work_dir: str, trained: bool) -> None:
        try:
            with open(self.path, encoding='utf-8') as file:
                saved = json.load(file)
            self.done = {int(fold): path for fold, path in saved['done'].items()}
            predicted = saved.get('predicted', {})
            self.predicted = {int(fold): digest for fold, digest in predicted.items()}
            changes = setting_changes(saved['settings'], self._settings)
            old = saved['lists']
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f'{self.path}: cannot be read ({error}); give another --work-dir'
            ) from error
        if old != self._lists:
            was, now = old['folds'], self._lists['folds']
            text = 'the lists of its folds have changed'
            if was != now:
                text = f'there were {was} folds and are {now}'
            changes.insert(0, text)
        if changes and not trained:
            # Nothing came of it: a setting may have been misspelt.
            self.done, self.predicted = {}, {}
            self._write()
        elif changes:
            raise UserError(
                f'{work_dir}: holds a cross-validation of other settings: '
                f'{listed_changes(changes)}; give another --work-dir, '
                'or the settings that it has'
            )

    def _write(self) -> None:
        done = {str(fold): path for fold, path in sorted(self.done.items())}
        predicted = {str(fold): text for fold, text in sorted(self.predicted.items())}
        content = {
            'lists': self._lists,
            'settings': self._settings,
            'done': done,
            'predicted': predicted,
        }
        write_json(self.path, content)


NOTES = (
    'Each fold was tested on the images it held out, with its last checkpoint: the '
    'best one is chosen on these very images.',
    'std is the sample standard deviation over folds (n - 1): how far folds and their '
    'trainings differ, not how far the mean is known.',
    'Out of fold are all images together, each predicted by the model that did not '
    'train on it. Scores of all these models are ranked together there, so an AP need '
    'not be the mean of those of the folds.',
    'The interval covers which images were drawn, not the seed of the training.',
)


@dataclass(frozen=True)
class Summary:
    """The metrics of a cross-validation.

    Attributes:
        folds: Numbers of the folds that are done.
        images: How many images each was tested on.
        metrics: Which metrics.
        values: One a fold; each of shape (metrics,).
        pooled: All images together; None while folds are missing.
    """

    folds: tuple[int, ...]
    images: tuple[int, ...]
    metrics: tuple[Metric, ...]
    values: tuple[Floats, ...]
    pooled: Measured | None

    def spread(self, index: int) -> tuple[float, float]:
        """Return mean and sample standard deviation of a metric over the folds.

        Folds where it is not defined are left out; NaN where too few are left.
        """
        known = [float(row[index]) for row in self.values if not np.isnan(row[index])]
        mean = float(np.mean(known)) if known else np.nan
        return mean, float(np.std(known, ddof=1)) if len(known) > 1 else np.nan

    def as_json(self) -> dict[str, Any]:
        """Return it for a JSON file."""
        pooled = self.pooled.estimates() if self.pooled else None
        return {
            'folds': list(self.folds),
            'images': list(self.images),
            'interval': {'level': LEVEL, 'resamples': RESAMPLES},
            'notes': list(NOTES),
            'metrics': [
                {
                    'name': metric.name,
                    'class': metric.of,
                    'folds': [_rounded(row[index]) for row in self.values],
                    'mean': _rounded(self.spread(index)[0]),
                    'std': _rounded(self.spread(index)[1]),
                    'out_of_fold': pooled[index].as_json() if pooled else None,
                }
                for index, metric in enumerate(self.metrics)
            ],
        }

    def as_markdown(self, each_fold: bool = False) -> str:
        """Draw a table that is readable as it is, too.

        Args:
            each_fold: With a column a fold: wider than many a terminal.
        """
        pooled = self.pooled.estimates() if self.pooled else None
        folds = range(len(self.folds) if each_fold else 0)
        heads = ['', 'mean ± std']
        heads += [f'out of fold ({LEVEL:.0%} interval)'] if pooled else []
        rows = [[*heads, *(f'fold {self.folds[index]}' for index in folds)]]
        for index, metric in enumerate(self.metrics):
            mean, std = self.spread(index)
            row = [metric.text, f'{written(mean)} ± {written(std)}']
            row += [written_estimate(pooled[index])] if pooled else []
            rows.append([*row, *(written(self.values[f][index]) for f in folds)])
        row = ['images', ' + '.join(map(str, self.images))]
        row += [str(sum(self.images))] if pooled else []
        rows.append([*row, *(str(self.images[index]) for index in folds)])
        return markdown_table(rows)


def summarise(
    folds: Mapping[int, Samples], classes: Sequence[str], whole: int
) -> Summary:
    """Measure each fold, and all images together if no fold is missing.

    Args:
        folds: The predictions of each fold that is done, on what it held out.
        classes: Names of the classes.
        whole: How many folds there are in all.

    Raises:
        UserError: Predictions are without truth, or an image was held out twice.
    """
    results = {fold: _results(samples, classes) for fold, samples in folds.items()}
    single = {fold: measure(each, count=0) for fold, each in results.items()}
    pooled = None
    if len(folds) == whole:
        pooled = measure(_results(out_of_fold(folds), classes))
    return Summary(
        folds=tuple(folds),
        images=tuple(each.images for each in single.values()),
        metrics=next(iter(single.values())).metrics,
        values=tuple(each.values for each in single.values()),
        pooled=pooled,
    )


def out_of_fold(folds: Mapping[int, Samples]) -> Samples:
    """Put the predictions of all folds one after the other."""
    return [sample for samples in folds.values() for sample in samples]


def _results(samples: Samples, classes: Sequence[str]) -> Results:
    if is_detection(samples):
        return detection_results(samples, classes)
    return classification_results(samples, classes)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


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
        REPORT: json_bytes(content),
        TABLE: f'# {title} folds\n\n{each}\n\n{tail}\n'.encode(),
    }
    write_samples(os.path.join(work_dir, OUT_OF_FOLD), out_of_fold(samples))
    write_files(work_dir, written)
    names = ', '.join((REPORT, TABLE, OUT_OF_FOLD))
    return f'{text}\n\n{work_dir}: {names}'
