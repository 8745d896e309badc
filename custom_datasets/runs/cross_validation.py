"""Training and testing a config on each of its folds, and pooling the results."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from custom_datasets.cli import TRUST, parse_options
from custom_datasets.config import fold_folder
from custom_datasets.errors import ConfigError
from custom_datasets.evaluation.intervals import LEVEL, RESAMPLES
from custom_datasets.evaluation.measures import Measured, Metric, measure
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
from custom_datasets.files import json_bytes, write_files
from custom_datasets.predicting.ensemble import Request, make_ensemble
from custom_datasets.runs.campaign import (
    Progress,
    Say,
    Step,
    Task,
    digest_of,
    run_campaign,
    settings_of,
    training_length,
)
from custom_datasets.runs.folds import Folds, prepare_folds, require_apart, test_list
from custom_datasets.runs.jobs import tool_command
from custom_datasets.runs.tables import markdown_table, written, written_estimate
from custom_datasets.settings import load_config
from custom_datasets.text import counted

OUT_OF_FOLD = 'out_of_fold.pkl'
REPORT = 'cross_validation.json'
TABLE = 'cross_validation.md'
TEST_SET = 'test_set_predictions.pkl'

_PREDICTIONS = 'held_out_predictions.pkl'
_CONFIG = 'held_out.py'

NOTES = (
    'Each fold was tested on the images that it holds out, with its last checkpoint: '
    'the best one is chosen on these very images.',
    'std is the sample standard deviation over folds (n - 1): how far the folds and '
    'their trainings differ, not how precisely the mean is known.',
    'Out of fold: all images together, each predicted by the model that did not '
    'train on it. It ranks the scores of all these models together, so its AP need '
    'not be the mean over the folds.',
    'The interval covers which images were drawn, not the seed of the training.',
)


def cross_validate(
    config: str,
    count: int,
    *,
    options: Sequence[str] = (),
    seed: int = 0,
    gpus: int | None = None,
    predict: bool = False,
    work_dir: str | None = None,
    trust: bool = False,
    say: Say = print,
    progress: Progress | None = None,
) -> str:
    """Train and test each fold, or what is left of an earlier call; return the table.

    A fold trains in ``<work_dir>/fold_K`` and is tested on what it holds out, with its
    last checkpoint. ``cross_validation.json``, ``cross_validation.md`` and
    ``out_of_fold.pkl`` are written once all are done. With ``predict``, each fold's
    model predicts the config's test set, which needs no annotations, and
    ``test_set_predictions.pkl`` is the ensemble of them.

    ``options`` are ``KEY=VALUE``, as for ``--cfg-options``; ``seed`` is that of the
    split, where there is none yet; ``work_dir`` is ``work_dirs/<config>`` by default;
    ``trust`` is passed on.

    Raises:
        UserError: See :func:`prepare_folds`, :func:`require_apart` and
            :func:`run_campaign`.
    """
    settings = parse_options(options)
    cfg = load_config(config, settings)
    if cfg.get('fold') is not None:
        raise ConfigError(f'fold={cfg.fold}: cross-validation sets the fold itself')
    folds = prepare_folds(cfg, count, seed)
    test_set = None
    if predict:
        require_apart(cfg, folds)
        test_set = digest_of([test_list(cfg)])
    say(folds.report)
    stem = os.path.splitext(os.path.basename(config))[0]
    campaign = work_dir or os.path.join('work_dirs', stem)
    names = [fold_folder(fold) for fold in range(count)]

    def task(fold: int) -> Task:
        folder = os.path.join(campaign, names[fold])
        trusts = [TRUST] * trust
        overrides = ['--cfg-options', *options] if options else []
        tested = os.path.join(folder, _CONFIG)
        test = _test_command(tested, folder, _PREDICTIONS, *trusts)
        steps = [Step(_PREDICTIONS, test, 'tested')]
        if test_set is not None:
            test = _test_command(config, folder, TEST_SET, *trusts, *overrides)
            steps.append(Step(TEST_SET, test, 'test set predicted', test_set))
        train = [*tool_command('train.py'), config, '--work-dir', folder, *trusts]
        return Task(
            name=names[fold],
            folder=folder,
            settings={'--folds': str(count), **settings_of(cfg)},
            lists=folds.digest,
            length=training_length(cfg),
            train=[*train, '--cfg-options', *options, f'fold={fold}'],
            steps=steps,
            prepare=lambda: _write_held_out(config, settings, fold, folder),
        )

    def report(checkpoints: Mapping[str, str], failures: Mapping[str, str]) -> str:
        tested = {
            fold: checkpoints[name]
            for fold, name in enumerate(names)
            if name in checkpoints
            and os.path.isfile(os.path.join(campaign, name, _PREDICTIONS))
        }
        text = _report(config, campaign, tested, folds)
        if predict and not failures:
            paths = [os.path.join(campaign, name, TEST_SET) for name in names]
            request = Request(paths, os.path.join(campaign, TEST_SET))
            text += (
                f'\n\nEnsemble of the folds on the test set: {make_ensemble(request)}'
            )
        return text

    return run_campaign(
        [task(fold) for fold in range(count)],
        campaign,
        report,
        gpus=gpus,
        say=say,
        progress=progress,
    )


@dataclass(frozen=True)
class Summary:
    """The metrics of a cross-validation.

    Attributes:
        folds: Numbers of the folds that are done.
        images: How many images each was tested on.
        values: One array per fold, of shape (metrics,).
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
        values = [float(row[index]) for row in self.values if not np.isnan(row[index])]
        mean = float(np.mean(values)) if values else np.nan
        return mean, float(np.std(values, ddof=1)) if len(values) > 1 else np.nan

    def as_json(self) -> dict[str, Any]:
        """Return the content of ``cross_validation.json``."""
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
        """Return a table; ``each_fold`` adds a column per fold."""
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
    """Measure each fold, and all images together if none of ``whole`` folds is missing.

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
    """Concatenate the predictions of all folds."""
    return [sample for samples in folds.values() for sample in samples]


def _test_command(
    config: str, folder: str, name: str, *more: str
) -> Callable[[str], list[str]]:
    where = ['--work-dir', os.path.join(folder, name.removesuffix('_predictions.pkl'))]
    where += ['--out', os.path.join(folder, name)]
    return lambda path: [*tool_command('test.py'), config, path, *where, *more]


def _write_held_out(
    config: str, settings: Mapping[str, Any], fold: int, folder: str
) -> None:
    """Write a config that tests on what the fold validates on."""
    cfg = load_config(config, {**settings, 'fold': fold})
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    write_files(folder, {_CONFIG: cfg.pretty_text.encode()})


def _report(
    config: str, work_dir: str, checkpoints: Mapping[int, str], folds: Folds
) -> str:
    samples = {
        fold: read_samples(os.path.join(work_dir, fold_folder(fold), _PREDICTIONS))
        for fold in checkpoints
    }
    if not samples:
        return 'No fold is done.'
    count = len(folds.held_out)
    summary = summarise(samples, folds.classes, count)
    notes = [
        f'fold_{fold} holds out {counted(len(folds.held_out[fold]), "images")}, but '
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
    content['checkpoints'] = list(checkpoints.values())
    content['notes'] = lines
    table = summary.as_markdown(each_fold=True)
    files = {
        REPORT: json_bytes(content),
        TABLE: f'# {title} folds\n\n{table}\n\n{tail}\n'.encode(),
    }
    write_samples(os.path.join(work_dir, OUT_OF_FOLD), out_of_fold(samples))
    write_files(work_dir, files)
    return f'{text}\n\n{work_dir}: {", ".join((*files, OUT_OF_FOLD))}'


def _results(samples: Samples, classes: Sequence[str]) -> Results:
    if is_detection(samples):
        return detection_results(samples, classes)
    return classification_results(samples, classes)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
