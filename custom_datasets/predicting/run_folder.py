"""What the folder of a run offers to a predictor: config, checkpoint and decisions."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from custom_datasets.checkpoints import (
    CheckpointFacts,
    best_checkpoint,
    last_checkpoint,
)
from custom_datasets.errors import UserError

DEFAULT_THRESHOLD = 0.3
"""Score from which on a box counts where no report has chosen one."""

Threshold = float | Literal['overall', 'per-class']
"""A score, or which of a report's thresholds."""

_REPORT = 'report.json'


@dataclass(frozen=True)
class Decision:
    """From which score on an answer counts, and how sure a classifier may be.

    Attributes:
        threshold: One for all classes, or one per class.
        why: Where the threshold comes from, as the end of a sentence.
        temperature: By which a classifier's logits are divided; None leaves them.
    """

    threshold: float | tuple[float, ...]
    why: str
    temperature: float | None = None

    def threshold_of(self, label: int) -> float:
        """Return the threshold of a class."""
        if isinstance(self.threshold, tuple):
            return self.threshold[label]
        return self.threshold

    @property
    def caption(self) -> str:
        """The threshold, short enough to stand below an image; empty for 0."""
        if isinstance(self.threshold, tuple):
            return 'threshold per class'
        return f'threshold {self.threshold:g}' if self.threshold else ''

    def __str__(self) -> str:
        """Say what is decided and why."""
        if isinstance(self.threshold, tuple):
            text = 'thresholds {} to {}'.format(
                *(f'{end(self.threshold):.3g}' for end in (min, max))
            )
        else:
            text = f'threshold {self.threshold:g}'
        text += f', {self.why}'
        if self.temperature is not None:
            text += f'; temperature {self.temperature:.3g}'
        return text


def require_model(path: str) -> None:
    """Raise a UserError where there is neither a run's folder nor a config."""
    if not os.path.exists(path):
        raise UserError(
            f"{path}: no such file or folder; name a run's work directory, or a config "
            'and a checkpoint'
        )


def find_config(folder: str) -> str:
    """Return the config that a run left in its folder, with all bases merged.

    Raises:
        UserError: There is none, or there are several and no record says which.
    """
    try:
        record = json.loads(Path(folder, 'run.json').read_text(encoding='utf-8'))
        named = os.path.join(folder, record['config']['dumped'])
    except (OSError, ValueError, LookupError, TypeError):
        named = ''
    if os.path.isfile(named):
        return named
    configs = sorted(map(str, Path(folder).glob('*.py')))
    if len(configs) == 1:
        return configs[0]
    if not os.path.isdir(folder):
        raise UserError(
            f'{folder}: no such folder; name the work directory of a run, or a config '
            'and a checkpoint'
        )
    fault = f'{len(configs)} configs' if configs else 'no config'
    raise UserError(
        f'{folder}: has {fault}; name the work directory of a run that tools/train.py '
        'started, or give config and checkpoint'
    )


def find_checkpoint(folder: str) -> tuple[str, str]:
    """Return a run's best checkpoint, else its last, and ``best`` or ``last``."""
    for kind, path in (
        ('best', best_checkpoint(folder)),
        ('last', last_checkpoint(folder)),
    ):
        if path is not None:
            return path, kind
    raise UserError(
        f'{folder}: has no checkpoint (best_*.pth, or one that last_checkpoint '
        'names); has it been trained?'
    )


def decide(
    folder: str,
    checkpoint: str,
    facts: CheckpointFacts,
    classes: Sequence[str],
    task: str,
    threshold: Threshold | None = None,
) -> Decision:
    """Choose threshold and temperature by the report in a folder, where there is one.

    Args:
        folder: Where ``report.json`` may be.
        checkpoint: Its path; a report about another one says nothing of it.
        facts: What the checkpoint says about itself.
        classes: Those of the checkpoint.
        task: ``detection`` or ``classification``.
        threshold: As given; None takes the report's overall one, else 0.3 for a
            detector and 0 for a classifier, which always has an answer.

    Raises:
        UserError: The report is damaged, or has no threshold that was asked for.
    """
    if threshold is not None:
        require_threshold(threshold)
    path = os.path.join(folder, _REPORT)
    report, fault = _read_report(path, checkpoint, facts, classes)
    try:
        return _decide(report, fault, path, task, threshold, len(classes))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from error


def require_threshold(threshold: Any) -> None:
    """Raise a UserError for what is no threshold."""
    if threshold in ('overall', 'per-class'):
        return
    number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if not (number and 0 <= threshold <= 1):
        raise UserError(
            f"threshold {threshold!r}: must be a number from 0 to 1, 'overall' or "
            "'per-class'"
        )


def _decide(
    report: Mapping[str, Any],
    fault: str,
    path: str,
    task: str,
    threshold: Threshold | None,
    classes: int,
) -> Decision:
    temperature = _temperature(report) if task == 'classification' else None
    if isinstance(threshold, (int, float)):
        return Decision(float(threshold), 'as given', temperature)
    if task == 'classification':
        if threshold is not None:
            raise UserError(f'threshold {threshold!r}: is for detectors; give a number')
        return Decision(0.0, 'so every image has a class', temperature)
    chosen = report.get('thresholds') or {}
    on = chosen.get('chosen_on')
    if report and on not in ('validation', 'test'):
        fault = f'{path} found none to choose'
    if fault or not report:
        if threshold is not None:
            raise UserError(f'threshold {threshold!r}: {fault}')
        return Decision(DEFAULT_THRESHOLD, f'the default: {fault}')
    why = f'chosen on the {on} set ({path})'
    if threshold == 'per-class':
        values = [row['threshold'] for row in chosen['per_class']]
        if len(values) != classes:
            raise ValueError(f'{len(values)} thresholds for {classes} classes')
        # A class for which there was nothing to choose on is never believed.
        return Decision(tuple(2.0 if v is None else float(v) for v in values), why)
    return Decision(float(chosen['overall']['threshold']), why)


def _read_report(
    path: str, checkpoint: str, facts: CheckpointFacts, classes: Sequence[str]
) -> tuple[Mapping[str, Any], str]:
    """Return a report on this checkpoint, or nothing and why."""
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        run = content['run']
        same = list(content['classes']) == list(classes)
    except FileNotFoundError:
        return {}, f'there is no {path}; tools/analysis_tools/report.py writes it'
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _damaged(path, error) from error
    if not isinstance(run, dict):
        raise _damaged(path, TypeError('run is not a dictionary'))
    steps = (run.get('epoch'), run.get('iteration'))
    if None in steps or None in (facts.epoch, facts.iteration):
        name = os.path.basename(run.get('checkpoint') or checkpoint)
        same = same and name == os.path.basename(checkpoint)
    else:
        same = same and steps == (facts.epoch, facts.iteration)
    if same and not _is_older(run.get('date'), facts.saved):
        return content, ''
    if same:
        return {}, (
            f'{path} was written before {os.path.basename(checkpoint)}; '
            'tools/analysis_tools/report.py writes one on this'
        )
    about = os.path.basename(run.get('checkpoint') or 'another checkpoint')
    return {}, (
        f'{path} is about {about}, not {os.path.basename(checkpoint)}; '
        'tools/analysis_tools/report.py writes one on this'
    )


def _damaged(path: str, error: Exception) -> UserError:
    return UserError(
        f'{path}: incomplete or damaged ({type(error).__name__}: {error}); write it '
        'again with tools/analysis_tools/report.py'
    )


def _is_older(report: Any, checkpoint: str | None) -> bool:
    """Tell whether a report was written before its checkpoint, by another training."""
    try:
        written = datetime.fromisoformat(report).replace(tzinfo=None)
        saved = datetime.strptime(checkpoint or '', '%Y%m%d_%H%M%S')
    except (TypeError, ValueError):
        return False  # One of them does not say.
    return written < saved


def _temperature(report: Mapping[str, Any]) -> float | None:
    """Return a report's temperature, unless it makes the test set less likely."""
    row = (report.get('calibration') or {}).get('temperature') or {}
    raises = ((row.get('change') or {}).get('low') or 0.0) > 0
    value = row.get('value')
    return None if value is None or raises else float(value)
