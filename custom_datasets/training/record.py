"""The record that a run leaves: ``run.json``, and ``run.md`` for people."""

import json
import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.hooks import CheckpointHook

from custom_datasets.errors import UserError
from custom_datasets.files import json_bytes, write_files
from custom_datasets.training.run_md import run_page

_TEXT = (str,)
_COUNT = (int,)
_NUMBER = (int, float)
_MAYBE_TEXT = (str, NoneType)
_MAYBE_COUNT = (int, NoneType)
_MAYBE_NUMBER = (int, float, NoneType)
_FLAG = (bool,)


class _Maybe(NamedTuple):
    """Something of a shape, or None."""

    shape: Any


class _Each(NamedTuple):
    """A dictionary of whatever keys, whose values have a shape."""

    shape: Any


class _Known(NamedTuple):
    """A dictionary of which some may be unknown, and then ``why`` says so.

    Attributes:
        key: What is None where they are.
        parts: Those that may be unknown together, if they are not.
        always: The others.
    """

    key: str
    parts: dict[str, Any]
    always: dict[str, Any]


_ANYTHING = _Each(None)
_GIT = _Known(
    'commit',
    {'commit': _TEXT, 'dirty': _FLAG, 'changes': _COUNT, 'changed': [_TEXT]},
    {},
)
_DATA = _Known(
    'sha256',
    {
        'list': _MAYBE_TEXT,
        'images': _COUNT,
        'samples': _COUNT,
        'objects': _Each(_COUNT),
        'sha256': _TEXT,
    },
    {'dataset': _TEXT, 'classes': _Maybe([_TEXT])},
)
_MODEL = _Known(
    'macs',
    {'macs': _NUMBER, 'input_shape': [_COUNT]},
    {'type': _TEXT, 'parameters': _COUNT, 'trainable': _COUNT},
)
_CORE = {
    'status': _TEXT,
    'config': {'dumped': _TEXT},
    'data': {'train': {'classes': _Maybe([_TEXT])}},
    'epochs': [{'iteration': _COUNT}],
}
_WHOLE = {
    'status': _TEXT,
    'reason': _MAYBE_TEXT,
    'started': _TEXT,
    'updated': _TEXT,
    'wall_seconds': _NUMBER,
    'command': [_TEXT],
    'git': _GIT,
    'config': {'path': _MAYBE_TEXT, 'dumped': _TEXT, 'overrides': _ANYTHING},
    'data': {'train': _DATA, 'val': _Maybe(_DATA)},
    'versions': _Each(_MAYBE_TEXT),
    'hardware': {
        'cpu': _TEXT,
        'cores': _COUNT,
        'ram_gb': _MAYBE_NUMBER,
        'gpus': [_TEXT],
    },
    'seed': _MAYBE_COUNT,
    'batch': {
        'images': _MAYBE_COUNT,
        'ranks': _COUNT,
        'accumulated': _COUNT,
        'total': _MAYBE_COUNT,
        'sampler': _TEXT,
    },
    'optimizer': {
        'type': _TEXT,
        'lr': _MAYBE_NUMBER,
        'weight_decay': _MAYBE_NUMBER,
        'wrapper': _TEXT,
    },
    'losses': _Each(_TEXT),
    'schedule': {'epochs': _MAYBE_COUNT, 'iterations': _COUNT, 'schedulers': [_TEXT]},
    'augmentations': [_TEXT],
    'model': _MODEL,
    'speed': {
        'images_per_second': _MAYBE_NUMBER,
        'data_share': _MAYBE_NUMBER,
        'peak_memory_mb': _MAYBE_NUMBER,
        'memory_of': _MAYBE_TEXT,
    },
    'best': _Maybe(
        {
            'metric': _TEXT,
            'rule': _TEXT,
            'value': _NUMBER,
            'epoch': _MAYBE_COUNT,
            'iteration': _COUNT,
            'checkpoint': _MAYBE_TEXT,
        }
    ),
    'validation': _Maybe(_ANYTHING),
    'epochs': [
        {
            'epoch': _MAYBE_COUNT,
            'iteration': _COUNT,
            'lr': _MAYBE_NUMBER,
            'losses': _Each(_MAYBE_NUMBER),
            'seconds': _NUMBER,
            'metrics': _Maybe(_ANYTHING),
        }
    ],
    'checkpoints': [_TEXT],
    'sessions': [
        {
            'started': _TEXT,
            'seconds': _NUMBER,
            'status': _TEXT,
            'reason': _MAYBE_TEXT,
            'from_iteration': _COUNT,
            'resumed_from': _MAYBE_TEXT,
            'git': _GIT,
        }
    ],
    'tests': [
        {
            'checkpoint': _TEXT,
            'when': _TEXT,
            'seconds': _NUMBER,
            'command': [_TEXT],
            'data': _DATA,
            'metrics': _ANYTHING,
        }
    ],
}


def find_fault(content: Any, whole: bool) -> str | None:
    """Say what a record lacks, or where something else stands than should.

    Args:
        content: Of ``run.json``.
        whole: Ask for all that ``run.md`` shows, and not only for what nobody
            can do without.

    Returns:
        The first such place and what is wrong there; None where all is well.
    """
    return _fault(content, _WHOLE if whole else _CORE, '')


def _fault(value: Any, shape: Any, name: str) -> str | None:
    """Compare a value with a shape: types, a list of one shape, or a dictionary."""
    shape = _settled(shape, value)
    if shape is None:
        return None
    kinds = {dict: Mapping, _Each: Mapping, list: list}
    if not isinstance(value, kinds.get(type(shape), shape)):
        return f'{name or "the whole"} is {type(value).__name__}'
    parts: Iterable[tuple[Any, Any, Any]] = ()
    if isinstance(shape, dict):
        lacking = next((key for key in shape if key not in value), None)
        if lacking is not None:
            return f'{_join(name, lacking)} is missing'
        parts = ((key, value[key], each) for key, each in shape.items())
    elif isinstance(shape, _Each):
        parts = ((key, each, shape.shape) for key, each in value.items())
    elif isinstance(shape, list):
        parts = ((key, each, shape[0]) for key, each in enumerate(value))
    found = (_fault(each, inner, _join(name, key)) for key, each, inner in parts)
    return next(filter(None, found), None)


def _settled(shape: Any, value: Any) -> Any:
    """Return the shape that is asked of a value; None where anything will do."""
    if isinstance(shape, _Maybe):
        return None if value is None else _settled(shape.shape, value)
    if isinstance(shape, _Known):
        unknown = isinstance(value, Mapping) and value.get(shape.key, '') is None
        return {**shape.always, **({'why': _TEXT} if unknown else shape.parts)}
    return shape


def _join(name: str, key: object) -> str:
    return f'{name}.{key}' if name else str(key)


JSON_NAME = 'run.json'
PAGE_NAME = 'run.md'
FORMAT = 1
"""Counts up when a reader of the earlier layout would go wrong."""


@dataclass(frozen=True)
class RunRecord:
    """What a run has written about itself.

    Attributes:
        folder: Its work directory.
        content: ``run.json``. What could not be had is None there.
    """

    folder: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """The work directory's own name."""
        return os.path.basename(os.path.abspath(self.folder))

    @property
    def config_file(self) -> str:
        """Path of the config with which it ran, everything inherited written out."""
        return os.path.join(self.folder, str(self.content['config']['dumped']))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that it was trained on."""
        return tuple(self.content['data']['train']['classes'] or ())


Points = list[tuple[float, float]]
"""Pairs of a step and the value there."""


@dataclass(frozen=True)
class Curves:
    """What a run logged, one value per epoch or validation.

    Attributes:
        step: What the first number of a point counts: ``epoch`` or ``iteration``.
        loss: The total training loss, a mean over the epoch.
        rate: The learning rate at its end.
        metrics: Each metric of the validations, by its name.
        metric: The one that the best checkpoint is chosen by, if any.
        best: Its value there.
    """

    step: str
    loss: Points
    rate: Points
    metrics: dict[str, Points]
    metric: str | None
    best: tuple[float, float] | None


def read_curves(folder: str) -> Curves:
    """Read the curves of the run in a work directory.

    Raises:
        UserError: See :func:`read_run`.
    """
    return curves_of(read_run(folder).content)


def counts_epochs(content: Mapping[str, Any]) -> bool:
    """Tell whether a run's steps are epochs; otherwise they are iterations."""
    return all(entry.get('epoch') is not None for entry in content.get('epochs') or ())


def curves_of(content: Mapping[str, Any], by_epoch: bool | None = None) -> Curves:
    """Return the curves of a record, by epoch where it counts epochs."""
    if by_epoch is None:
        by_epoch = counts_epochs(content)
    step = 'epoch' if by_epoch else 'iteration'
    loss: Points = []
    rate: Points = []
    metrics: dict[str, Points] = {}
    for entry in content.get('epochs') or ():
        for points, value in (
            (loss, (entry.get('losses') or {}).get('loss')),
            (rate, entry.get('lr')),
        ):
            if isinstance(value, (int, float)):
                points.append((float(entry[step]), float(value)))
        for name, value in (entry.get('metrics') or {}).items():
            if isinstance(value, (int, float)):
                metrics.setdefault(name, []).append((float(entry[step]), float(value)))
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


def read_run(folder: str, whole: bool = False) -> RunRecord:
    """Read the record in a run's work directory.

    Args:
        folder: The work directory.
        whole: Refuse a record in which anything is missing or of another type,
            as it may be where another version wrote it. Whoever adds to a
            record asks for that, so that both files can be written again.

    Raises:
        UserError: There is none, it is broken, or another version wrote it.
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
        raise UserError(f'{path}: not a whole record ({error})') from error
    found = content.get('format') if isinstance(content, dict) else None
    if found != FORMAT:
        raise UserError(
            f'{path}: its format is {found}, and this version reads {FORMAT}; '
            'read it with the version that wrote it'
        )
    fault = find_fault(content, whole)
    if fault:
        raise UserError(
            f'{path}: not a record as this version writes it ({fault}); read it with '
            'the version that wrote it, or move it away'
        )
    return RunRecord(folder, content)


def has_run(folder: str) -> bool:
    """Tell whether a folder holds a record."""
    return os.path.isfile(os.path.join(folder, JSON_NAME))


def write_run(record: RunRecord) -> None:
    """Write both files, whole or not at all.

    Raises:
        UserError: They can't be written.
    """
    files = {
        JSON_NAME: json_bytes(record.content),
        PAGE_NAME: run_page(record.name, record.content).encode(),
    }
    write_files(record.folder, files)


def write_or_warn(record: RunRecord, logger: logging.Logger) -> None:
    """Write both files; where they can't be, warn, since the run matters more."""
    try:
        write_run(record)
    except Exception as error:  # A night's training must not end with its record.
        kind = '' if isinstance(error, UserError) else f'{type(error).__name__}: '
        logger.warning(f'the run goes on without its record: {kind}{error}')


def set_aside(folder: str, into: str) -> None:
    """Move the record that is in ``folder``, if any, to the folder ``into``.

    Raises:
        OSError: It can't be moved.
    """
    for name in (JSON_NAME, PAGE_NAME):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            os.makedirs(into, exist_ok=True)
            os.replace(path, os.path.join(into, f'previous_{name}'))


def _refuse(constant: str) -> None:
    """Refuse what Python reads and JSON does not know."""
    raise ValueError(f'{constant} is no JSON')


Entry = dict[str, Any]
"""What a record says about an epoch."""


def plain(value: Any) -> Any:
    """Return numbers, texts, lists and dictionaries that JSON can hold.

    What is no finite number becomes None.
    """
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
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


def main_metric(runner: Any, metrics: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the metric that tells the best epoch, and ``greater`` or ``less``.

    It is the one that checkpoints are kept by (``save_best``), else the first.
    """
    hook = checkpoint_hook(runner)
    if hook is not None and hook.save_best:
        return str(hook.key_indicators[0]), str(hook.rules[0])
    for key, value in metrics.items():
        if isinstance(value, (int, float)):
            less = any(word in key.lower() for word in ('loss', 'error'))
            return key, 'less' if less else 'greater'
    return None


def checkpoint_hook(runner: Any) -> CheckpointHook | None:
    """Return the hook that saves checkpoints."""
    hooks = (hook for hook in runner.hooks if isinstance(hook, CheckpointHook))
    return next(hooks, None)


def best_entry(entries: Sequence[Entry], key: str, rule: str) -> Entry | None:
    """Return the first of the epochs in which a metric is at its best."""
    sign = 1 if rule == 'greater' else -1
    known = [each for each in entries if _value(each, key) is not None]
    return max(known, key=lambda each: sign * each['metrics'][key], default=None)


def _value(entry: Entry, key: str) -> Any:
    return (entry['metrics'] or {}).get(key)
