"""The record that a run leaves: ``run.json``, and ``run.md`` for people.

``format`` decides whether a version can read it. What is unknown is None.
"""

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from custom_datasets.errors import UserError
from custom_datasets.files import json_bytes, text_bytes, write_files
from custom_datasets.training.run_md import neighbours, run_page

JSON_NAME = 'run.json'
PAGE_NAME = 'run.md'
FORMAT = 1
"""Increased when a reader of the earlier layout would fail."""


class Entry(TypedDict):
    """A record's entry for an epoch, or for the iterations before a validation.

    ``epoch`` is None where the run counts iterations.
    """

    epoch: int | None
    iteration: int
    lr: float | None
    losses: dict[str, float | None]
    seconds: float
    images_per_second: float | None
    metrics: dict[str, Any] | None


class Best(TypedDict):
    """The epoch in which a metric is best; ``rule`` is ``greater`` or ``less``."""

    metric: str
    rule: str
    value: float
    epoch: int | None
    iteration: int
    checkpoint: str | None


@dataclass(frozen=True)
class RunRecord:
    """What a run has written about itself: its work directory and ``run.json``."""

    folder: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the work directory."""
        return os.path.basename(os.path.abspath(self.folder))

    @property
    def config_file(self) -> str:
        """Path of the config with which it ran, with all bases merged."""
        return os.path.join(self.folder, self.content['config']['dumped'])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that it was trained on."""
        return tuple(self.content['data']['train']['classes'] or ())


Points = list[tuple[float, float]]
"""Pairs of a step and the value there."""


@dataclass(frozen=True)
class Curves:
    """What a run logged, one value per epoch or validation.

    The first number of a point is the ``step``; ``loss`` is the mean over an epoch and
    ``rate`` that at its end. ``best`` is a point of ``metric``, by which the best
    checkpoint is chosen.
    """

    step: str
    loss: Points
    rate: Points
    metrics: dict[str, Points]
    metric: str | None
    best: tuple[float, float] | None


def has_run(folder: str) -> bool:
    """Tell whether a folder holds a record."""
    return os.path.isfile(os.path.join(folder, JSON_NAME))


def read_run(folder: str, whole: bool = False) -> RunRecord:
    """Read the record in a run's work directory.

    ``whole`` also refuses a record that ``run.md`` can't be written from, as one of
    another version may be: set it before adding to a record. Raises a UserError where
    the record is missing, damaged, or of another version.
    """
    path = os.path.join(folder, JSON_NAME)
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file, parse_constant=_refuse)
    except FileNotFoundError as error:
        raise UserError(
            f'{path}: no such file; name the work directory of a run that '
            'tools/train.py started'
        ) from error
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    except ValueError as error:
        raise UserError(f'{path}: incomplete or damaged ({error})') from error
    version = content.get('format') if isinstance(content, dict) else None
    if version != FORMAT:
        raise UserError(
            f'{path}: its format is {version}, and this version reads {FORMAT}; '
            'read it with the version that wrote it'
        )
    record = RunRecord(folder, content)
    damage = _damage(record, whole)
    if damage:
        raise UserError(
            f'{path}: damaged, or written by another version ({damage}); read it with '
            'that version, or move the file away'
        )
    return record


def read_curves(folder: str) -> Curves:
    """Read the curves of the run in a work directory; raises as :func:`read_run`."""
    return curves_of(read_run(folder).content)


def curves_of(content: Mapping[str, Any], by_epoch: bool | None = None) -> Curves:
    """Return the curves of a record, by epoch where it counts epochs."""
    if by_epoch is None:
        by_epoch = counts_epochs(content)
    step = 'epoch' if by_epoch else 'iteration'
    loss: Points = []
    rate: Points = []
    metrics: dict[str, Points] = {}
    for entry in content.get('epochs') or ():
        x = float(entry[step])
        for points, value in (
            (loss, (entry.get('losses') or {}).get('loss')),
            (rate, entry.get('lr')),
        ):
            if isinstance(value, (int, float)):
                points.append((x, float(value)))
        for name, value in (entry.get('metrics') or {}).items():
            if isinstance(value, (int, float)):
                metrics.setdefault(name, []).append((x, float(value)))
    best = content.get('best') or {}
    place = best.get(step)
    return Curves(
        step=step,
        loss=loss,
        rate=rate,
        metrics=metrics,
        metric=best.get('metric'),
        best=None if place is None else (float(place), float(best['value'])),
    )


def counts_epochs(content: Mapping[str, Any]) -> bool:
    """Tell whether a run's steps are epochs; otherwise they are iterations."""
    return all(entry.get('epoch') is not None for entry in content.get('epochs') or ())


def best_of(
    entries: Sequence[Entry], metric: str, rule: str, checkpoint: str | None = None
) -> Best | None:
    """Describe the first epoch in which a metric is best; None without any value."""
    sign = 1 if rule == 'greater' else -1
    values = [
        (sign * metrics[metric], -index)
        for index, entry in enumerate(entries)
        if (metrics := entry['metrics'] or {}).get(metric) is not None
    ]
    if not values:
        return None
    value, place = max(values)
    entry = entries[-place]
    return {
        'metric': metric,
        'rule': rule,
        'value': sign * value,
        'epoch': entry['epoch'],
        'iteration': entry['iteration'],
        'checkpoint': checkpoint,
    }


def write_run(record: RunRecord) -> None:
    """Write both files, whole or not at all; raises a UserError where that fails."""
    files = {
        JSON_NAME: json_bytes(record.content),
        PAGE_NAME: text_bytes(
            run_page(record.name, record.content, neighbours(record.folder, PAGE_NAME))
        ),
    }
    write_files(record.folder, files)


def write_or_warn(record: RunRecord, logger: logging.Logger) -> None:
    """Write both files, or warn where that fails: the run matters more."""
    try:
        write_run(record)
    except Exception as error:  # A night's training must not end with its record.
        kind = '' if isinstance(error, UserError) else f'{type(error).__name__}: '
        logger.warning(f'the run continues without its record: {kind}{error}')


def set_aside(folder: str, into: str) -> None:
    """Move the record in ``folder``, if any, to ``into``; raises an OSError."""
    for name in (JSON_NAME, PAGE_NAME):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            os.makedirs(into, exist_ok=True)
            os.replace(path, os.path.join(into, f'previous_{name}'))


def plain(value: Any) -> Any:
    """Return what JSON can hold: arrays as lists, NaN and infinity as None."""
    if hasattr(value, 'tolist'):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _damage(record: RunRecord, whole: bool) -> str | None:
    try:
        ', '.join([record.content['status'], record.config_file, *record.classes])
        curves_of(record.content, by_epoch=False)
        if whole:
            run_page(record.name, record.content)
    except Exception as error:  # Anything may be wrong with it.
        text = str(error)
        key = text.removeprefix("'dict object' has no attribute ")  # Jinja's words.
        missing = key != text or isinstance(error, KeyError)
        return f'{key} is missing' if missing else text
    return None


def _refuse(constant: str) -> None:
    """Refuse NaN and infinity, which Python reads although JSON has none."""
    raise ValueError(f'{constant} is not JSON')
