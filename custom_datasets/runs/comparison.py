"""Runs as they are compared: records, settings, metrics, and what keeps them apart."""

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner

from custom_datasets.errors import UserError
from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.classification import (
    class_scores,
    decide,
    overall_scores,
)
from custom_datasets.evaluation.intervals import RESAMPLES, Estimate, estimate, resample
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Floats,
    Results,
    align,
    image_keys,
    read_results,
)
from custom_datasets.training.record import RunRecord, read_run


class Metric(NamedTuple):
    """A metric, 0 to 1, more is better.

    Attributes:
        name: What it is called.
        of: The class that it is of; None for all of them.
    """

    name: str
    of: str | None

    @property
    def text(self) -> str:
        """Its name with that of the class."""
        return self.name if self.of is None else f'{self.name} {self.of}'


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics of one run, on its test set and on draws from it.

    Attributes:
        metrics: Which ones; the first is the one to rank by.
        images: How many images the test set has.
        values: Shape (metrics,); NaN where a class is not in the test set.
        draws: Shape (resamples, metrics), the same on each resample.
    """

    metrics: tuple[Metric, ...]
    images: int
    values: Floats
    draws: Floats

    def estimates(self) -> list[Estimate]:
        """Return each metric with its interval."""
        return [
            estimate(float(value), column)
            for value, column in zip(self.values, self.draws.T, strict=True)
        ]

    def minus(self, other: 'Measured') -> list[Estimate]:
        """Return the paired differences to another run on the same images.

        Both runs were measured on the same draws, so what makes an image hard
        for both is in both, and falls out of the difference.
        """
        differences = (self.values - other.values, (self.draws - other.draws).T)
        return [
            estimate(float(value), column)
            for value, column in zip(*differences, strict=True)
        ]


def measure(results: Results, count: int = RESAMPLES, seed: int = 0) -> Measured:
    """Compute the metrics of a run on its test set, and on resamples of it.

    Detection: area-AP50 and COCO AP, mean and of each class. Classification:
    top-1, balanced accuracy, macro F1, and F1 of each class.

    Args:
        results: What the run predicts, and the truth.
        count: How many resamples.
        seed: The same seed draws the same images of equally many.
    """
    metrics, value_of = (
        _detection(results)
        if isinstance(results, DetectionResults)
        else _classification(results)
    )
    images = len(results.images)
    draws = [
        value_of(weights.astype(float)) for weights in resample(images, count, seed)
    ]
    return Measured(
        metrics,
        images,
        value_of(np.ones(images)),
        np.array(draws).reshape(count, len(metrics)),
    )


_Metrics = tuple[tuple[Metric, ...], Callable[[Floats], Floats]]


def _detection(results: DetectionResults) -> _Metrics:
    tables = ap_tables(results)
    classes = len(results.classes)

    def value_of(weights: Floats) -> Floats:
        ap50, coco = tables.ap50(weights), tables.coco_ap(weights)
        per_class = np.stack([ap50[1:], coco[-classes:]], axis=1)
        return np.concatenate([[ap50[0], coco[0]], per_class.ravel()])

    names = ('area-AP50', 'COCO AP')
    metrics = (Metric(name, of) for of in (None, *results.classes) for name in names)
    return tuple(metrics), value_of


def _classification(results: ClassificationResults) -> _Metrics:
    decisions = decide(results)

    def value_of(weights: Floats) -> Floats:
        f1 = class_scores(decisions, weights)[2]
        return np.concatenate([overall_scores(decisions, weights), f1])

    overall = ('top-1', 'balanced accuracy', 'macro F1')
    metrics = tuple(Metric(name, None) for name in overall)
    return (*metrics, *(Metric('F1', of) for of in results.classes)), value_of


PREDICTIONS = 'test_predictions.pkl'

_NOISE = frozenset(
    """
    cfg experiment_name launcher log_level log_processor resume visualizer work_dir
    """.split()
)
"""What a runner reads and what does not change the result."""


@dataclass(frozen=True)
class ComparedRun:
    """One run.

    Attributes:
        label: As few of the last parts of its folder as tell it from the others.
        record: What it wrote about itself; next to nothing where predictions were
            named alone.
        settings: What of its config a runner reads; empty for predictions alone.
        measured: Its metrics on its test set; None without predictions.
        against: The differences to the run that comes first, a metric each;
            None where that can't be paired.
    """

    label: str
    record: RunRecord
    settings: dict[str, Any]
    measured: Measured | None
    against: tuple[Estimate, ...] | None

    def get(self, *path: str) -> Any:
        """Look a value up in the record; None where it could not be had."""
        node: Any = self.record.content
        for name in path:
            node = node.get(name) if isinstance(node, dict) else None
        return node

    @property
    def finished(self) -> bool:
        """Whether its predictions are final: it came to its end, or is none."""
        return self.get('status') in ('finished', None)


@dataclass(frozen=True)
class Comparison:
    """Several runs.

    Attributes:
        runs: In the order in which they were named.
        base: The first that has predictions, to which the others are compared.
        metrics: Those that the runs with predictions have in common.
        notes: What a reader has to know, a sentence each.
        ranks: Of each run by the first metric, counted from 1; empty where
            runs can't be ranked.
    """

    runs: tuple[ComparedRun, ...]
    base: ComparedRun | None
    metrics: tuple[Metric, ...]
    notes: tuple[str, ...]
    ranks: tuple[int | None, ...]

    @property
    def configured(self) -> tuple[ComparedRun, ...]:
        """The runs, without predictions that were named alone."""
        return tuple(run for run in self.runs if run.settings)


def read_comparison(folders: Sequence[str]) -> Comparison:
    """Read runs and measure them on the same resamples.

    Args:
        folders: Their work directories, or files of predictions on the test
            set, say an ensemble's; two at least.

    Raises:
        UserError: A folder is named twice, has no record, or its config or
            predictions can't be read.
    """
    paths = [os.path.realpath(folder) for folder in folders]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise UserError(f'{twice}: named twice')
    records = [_record(folder) for folder in folders]
    labels = image_keys(paths)
    notes = [
        note for pair in zip(labels, records, strict=True) for note in _state(*pair)
    ]
    classes = next((record.classes for record in records if record.classes), ())
    results = [_predictions(record, classes, notes) for record in records]
    measured = _measure(labels, results, notes)
    runs = tuple(
        ComparedRun(label, record, _settings(record), *each)
        for label, record, each in zip(labels, records, measured, strict=True)
    )
    apart = _data_notes(runs)
    known = [run for run in runs if run.measured]
    paired = all(run.against for run in known[1:])
    kinds = {run.measured.metrics for run in known if run.measured}
    return Comparison(
        runs=runs,
        base=known[0] if known else None,
        metrics=kinds.pop() if len(kinds) == 1 else (),
        notes=(*notes, *apart),
        ranks=_ranks(runs) if paired and not apart else (),
    )


def _measure(
    labels: Sequence[str], results: Sequence[Results | None], notes: list[str]
) -> list[tuple[Measured | None, tuple[Estimate, ...] | None]]:
    """Measure each run, and its differences to the first that has predictions."""
    measured: list[tuple[Measured | None, tuple[Estimate, ...] | None]] = []
    first: tuple[str, Results, Measured] | None = None
    for label, found in zip(labels, results, strict=True):
        if found is None:
            measured.append((None, None))
        elif first is None:
            first = label, found, measure(found)
            measured.append((first[2], None))
        else:
            try:
                here = measure(align(first[1], found)[1])
                measured.append((here, tuple(here.minus(first[2]))))
            except UserError as error:
                measured.append((measure(found), None))
                notes.append(
                    f'{label} and {first[0]} were not tested on the same, so they are '
                    f'not ranked, and no difference is computed: {error}.'
                )
    return measured


def _record(path: str) -> RunRecord:
    if not path.endswith('.pkl'):
        return read_run(path)
    return RunRecord(path, {'status': None, 'data': {'train': {'classes': None}}})


def _state(label: str, record: RunRecord) -> list[str]:
    """Say it where a run did not come to its end."""
    status = record.content['status']
    if status in ('finished', None):
        return []
    epochs = len(record.content['epochs'] or ())
    reason = (record.content.get('reason') or '').strip().partition('\n')[0]
    what = {
        'running': 'is still running, or was killed',
        'stopped': 'was stopped',
        'failed': 'failed',
    }.get(status, str(status))
    because = f' ({reason})' if reason else ''
    return [
        f'{label} {what}{because}, after {epochs} epochs: its numbers are not final.'
    ]


def _predictions(
    record: RunRecord, classes: tuple[str, ...], notes: list[str]
) -> Results | None:
    """Read a run's predictions on the test set, or note how to make them."""
    if _is_alone(record):
        return read_results(record.folder, classes or None)
    path = os.path.join(record.folder, PREDICTIONS)
    best = (record.content.get('best') or {}).get('checkpoint')
    names = [
        name for name in (best, *(record.content.get('checkpoints') or ())) if name
    ]
    checkpoint = os.path.join(record.folder, names[0] if names else 'CHECKPOINT')
    how = (
        f'python tools/analysis_tools/report.py {record.config_file} {checkpoint} '
        f'makes them (or tools/test.py with --out {path})'
    )
    if not os.path.isfile(path):
        notes.append(f'{path}: no such file, so no metrics with intervals; {how}.')
        return None
    newest = max(
        (
            os.path.getmtime(os.path.join(record.folder, name))
            for name in names
            if os.path.isfile(os.path.join(record.folder, name))
        ),
        default=0.0,
    )
    if os.path.getmtime(path) < newest:
        notes.append(f'{path}: older than a checkpoint beside it; {how} anew.')
    return read_results(path, record.classes or None)


def _is_alone(record: RunRecord) -> bool:
    return record.content['status'] is None


def _settings(record: RunRecord) -> dict[str, Any]:
    """Return what of a run's config a runner reads: no variables of bases."""
    if _is_alone(record):
        return {}
    try:
        cfg = Config.fromfile(record.config_file, import_custom_modules=False)
    except (OSError, SyntaxError, KeyError, TypeError, ImportError) as error:
        raise UserError(f'{record.config_file}: cannot be read ({error})') from error
    read = {*inspect.signature(Runner.__init__).parameters, 'auto_scale_lr'} - _NOISE
    content: dict[str, Any] = cfg.to_dict()
    return {name: value for name, value in content.items() if name in read}


def _data_notes(runs: Sequence[ComparedRun]) -> list[str]:
    """Say which runs have other data than the first."""
    notes = []
    first, *others = [run for run in runs if run.settings] or runs[:1]
    for run in others:
        for part, verb in (('train', 'trained'), ('val', 'validated')):
            ours, theirs = (each.get('data', part) or {} for each in (first, run))
            if ours.get('sha256') is None or theirs.get('sha256') is None:
                if ours or theirs:
                    notes.append(
                        f'No record tells whether {run.label} and {first.label} were '
                        f'{verb} on the same, so they are not ranked.'
                    )
            elif ours['sha256'] != theirs['sha256']:
                notes.append(
                    f'{run.label} was {verb} on other data than {first.label}, so they '
                    f'are not ranked: {_told(theirs)} against {_told(ours)}.'
                )
    return notes


def _told(data: dict[str, Any]) -> str:
    return f'{data.get("list") or data.get("dataset")} ({data.get("images")} images)'


def _ranks(runs: Sequence[ComparedRun]) -> tuple[int | None, ...]:
    """Rank finished runs with predictions by the first metric; ties share a rank."""
    values = [
        float(run.measured.values[0]) if run.finished and run.measured else np.nan
        for run in runs
    ]
    if np.isfinite(values).sum() < 2:
        return ()
    return tuple(
        None if np.isnan(value) else 1 + sum(other > value for other in values)
        for value in values
    )
