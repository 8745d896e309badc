"""Runs as they are compared: records, settings, metrics, and what keeps them apart."""

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner

from custom_datasets.errors import UserError
from custom_datasets.evaluation.intervals import Estimate
from custom_datasets.evaluation.measures import Measured, Metric, measure
from custom_datasets.evaluation.results import (
    Results,
    align,
    image_keys,
    read_results,
)
from custom_datasets.text import counted
from custom_datasets.training.record import RunRecord, read_run

PREDICTIONS = 'test_predictions.pkl'

_NOISE = frozenset(
    """
    cfg experiment_name launcher log_level log_processor resume visualizer work_dir
    """.split()
)
"""What a runner reads without effect on the result."""


@dataclass(frozen=True)
class ComparedRun:
    """One run; predictions that were named alone have no settings, and hardly a record.

    ``label`` has as few of the last parts of its folder as tell it from the others.
    ``against`` has the differences to the first run, one per metric, if paired.
    """

    label: str
    record: RunRecord
    settings: dict[str, Any]
    measured: Measured | None
    against: tuple[Estimate, ...] | None

    def get(self, *path: str) -> Any:
        """Look up a value in the record; None where it is missing."""
        node: Any = self.record.content
        for name in path:
            node = node.get(name) if isinstance(node, dict) else None
        return node

    @property
    def finished(self) -> bool:
        """Whether its predictions are final: it finished, or has no record."""
        return self.get('status') in ('finished', None)


@dataclass(frozen=True)
class Comparison:
    """Several runs, compared with ``base``, the first that has predictions.

    ``metrics`` are those that runs with predictions have in common. ``ranks`` are by
    the first metric, from 1; empty where runs can't be ranked.
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

    @property
    def is_of_one_task(self) -> bool:
        """Whether all configured runs are of mmdet, or all of mmpretrain."""
        return len({run.get('config', 'scope') for run in self.configured}) == 1


def read_comparison(folders: Sequence[str]) -> Comparison:
    """Read runs, or files of predictions on the test set, and measure them alike.

    Raises:
        UserError: A folder is named twice, has no record, or its config or
            predictions can't be read.
    """
    paths = [os.path.realpath(folder) for folder in folders]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise UserError(f'{twice}: named twice; name each run once')
    records = [_record(folder) for folder in folders]
    labels = image_keys(paths)
    notes = [
        note for pair in zip(labels, records, strict=True) for note in _state(*pair)
    ]
    classes = next((record.classes for record in records if record.classes), ())
    results = [_predictions(record, classes, notes) for record in records]
    measured = _measure_all(labels, results, notes)
    runs = tuple(
        ComparedRun(label, record, _settings(record), *pair)
        for label, record, pair in zip(labels, records, measured, strict=True)
    )
    apart = _data_notes(runs)
    tested = [run for run in runs if run.measured]
    paired = all(run.against for run in tested[1:])
    kinds = {run.measured.metrics for run in tested if run.measured}
    return Comparison(
        runs=runs,
        base=tested[0] if tested else None,
        metrics=kinds.pop() if len(kinds) == 1 else (),
        notes=(*notes, *apart),
        ranks=_ranks(runs) if paired and not apart else (),
    )


def _measure_all(
    labels: Sequence[str], results: Sequence[Results | None], notes: list[str]
) -> list[tuple[Measured | None, tuple[Estimate, ...] | None]]:
    measured: list[tuple[Measured | None, tuple[Estimate, ...] | None]] = []
    base: tuple[str, Results, Measured] | None = None
    for label, own in zip(labels, results, strict=True):
        if own is None:
            measured.append((None, None))
        elif base is None:
            base = label, own, measure(own)
            measured.append((base[2], None))
        else:
            try:
                metrics = measure(align(base[1], own)[1])
                measured.append((metrics, tuple(metrics.minus(base[2]))))
            except UserError as error:
                measured.append((measure(own), None))
                notes.append(
                    f'{label} and {base[0]} were not tested on the same data, so they '
                    f'are not ranked and no difference is computed: {error}.'
                )
    return measured


def _record(path: str) -> RunRecord:
    if not path.endswith('.pkl'):
        return read_run(path)
    return RunRecord(path, {'status': None, 'data': {'train': {'classes': None}}})


def _is_predictions(record: RunRecord) -> bool:
    return record.content['status'] is None


def _state(label: str, record: RunRecord) -> list[str]:
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
        f'{label} {what}{because} after {counted(epochs, "epochs")}: its numbers are '
        'not final.'
    ]


def _predictions(
    record: RunRecord, classes: tuple[str, ...], notes: list[str]
) -> Results | None:
    if _is_predictions(record):
        return read_results(record.folder, classes or None)
    path = os.path.join(record.folder, PREDICTIONS)
    best = (record.content.get('best') or {}).get('checkpoint')
    names = [
        name for name in (best, *(record.content.get('checkpoints') or ())) if name
    ]
    checkpoints = [os.path.join(record.folder, name) for name in names]
    checkpoint = os.path.join(record.folder, names[0] if names else 'CHECKPOINT')
    command = (
        f'python tools/analysis_tools/report.py {record.config_file} {checkpoint} '
        f'(or tools/test.py with --out {path})'
    )
    if not os.path.isfile(path):
        notes.append(
            f'{path} does not exist, so there are no metrics with intervals; it is '
            f'written by {command}.'
        )
        return None
    written = [os.path.getmtime(file) for file in checkpoints if os.path.isfile(file)]
    if os.path.getmtime(path) < max(written, default=0.0):
        notes.append(
            f'{path} is older than a checkpoint beside it; write it again with '
            f'{command}.'
        )
    return read_results(path, record.classes or None)


def _settings(record: RunRecord) -> dict[str, Any]:
    """Leave out the variables of bases, which no runner reads."""
    if _is_predictions(record):
        return {}
    try:
        cfg = Config.fromfile(record.config_file, import_custom_modules=False)
    except (OSError, SyntaxError, KeyError, TypeError, ImportError) as error:
        raise UserError(f'{record.config_file}: cannot be read ({error})') from error
    read = {*inspect.signature(Runner.__init__).parameters, 'auto_scale_lr'} - _NOISE
    if cfg.get('resume'):
        read -= {'load_from'}  # Then it is where the run went on.
    content: dict[str, Any] = cfg.to_dict()
    return {name: value for name, value in content.items() if name in read}


def _data_notes(runs: Sequence[ComparedRun]) -> list[str]:
    notes = []
    first, *others = [run for run in runs if run.settings] or runs[:1]
    for run in others:
        for part, verb in (('train', 'trained'), ('val', 'validated')):
            ours, theirs = (each.get('data', part) or {} for each in (first, run))
            if ours.get('sha256') is None or theirs.get('sha256') is None:
                if ours or theirs:
                    notes.append(
                        f'The records do not say whether {run.label} and {first.label} '
                        f'were {verb} on the same data, so they are not ranked.'
                    )
            elif ours['sha256'] != theirs['sha256']:
                notes.append(
                    f'{run.label} was {verb} on other data than {first.label}, so they '
                    f'are not ranked: {_data(theirs)} against {_data(ours)}.'
                )
    return notes


def _data(data: dict[str, Any]) -> str:
    images = counted(data.get('images') or 0, 'images')
    return f'{data.get("list") or data.get("dataset")} ({images})'


def _ranks(runs: Sequence[ComparedRun]) -> tuple[int | None, ...]:
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
