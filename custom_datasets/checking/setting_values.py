"""Check of the numbers that loaders, loops, optimizers and schedulers are given."""

import math
from collections.abc import Mapping
from typing import Any

from custom_datasets.checking.finding import Finding
from custom_datasets.checking.settings import (
    iter_loaders,
    iter_schedulers,
    setting_error,
)

_FROM_1 = 'a whole number from 1 on'
_FROM_0 = 'a whole number from 0 on'
_NUMBER = 'a number from 0 on'
_VALUES = {
    'train_cfg': {
        'max_epochs': _FROM_1,
        'max_iters': _FROM_1,
        'val_interval': _FROM_1,
        'val_begin': _FROM_0,
    },
    'optim_wrapper': {'accumulative_counts': _FROM_1},
    'optim_wrapper.optimizer': {
        'lr': _NUMBER,
        'momentum': _NUMBER,
        'weight_decay': _NUMBER,
    },
    'auto_scale_lr': {'base_batch_size': _FROM_1},
    'default_hooks.logger': {'interval': _FROM_0},
}
_LOADER_VALUES = {'batch_size': _FROM_1, 'num_workers': _FROM_0}
_WITH_WORKERS = {'persistent_workers': False, 'prefetch_factor': None}
_MAY_BE_NONE = ('batch_size', 'base_batch_size')
_SCHEDULER_VALUES = {'begin': _NUMBER, 'end': _NUMBER}


def check_values(cfg: Mapping[str, Any]) -> list[Finding]:
    """Find numbers that are none, or that nothing can be built with."""
    findings = []
    for path, part in iter_loaders(cfg):
        findings += _wrong(path, part, _LOADER_VALUES)
        if not part.get('num_workers'):
            for name, off in _WITH_WORKERS.items():
                if part.get(name):
                    text = f'{path}: {name}={part[name]!r} needs num_workers from 1 on'
                    hint = f'with num_workers=0, set {name}={off}'
                    findings.append(setting_error('wrong-value', path, text, hint))
    for path, values in _VALUES.items():
        part = cfg
        for name in path.split('.'):
            part = part.get(name) or {}
        findings += _wrong(path, part, values)
    for path, scheduler in iter_schedulers(cfg):
        findings += _wrong(path, scheduler, _SCHEDULER_VALUES)
        steps = scheduler.get('milestones')
        numbers = isinstance(steps, (list, tuple)) and all(
            _is_number(step) for step in steps
        )
        if steps is not None and not numbers:
            text = f'{path}.milestones={steps!r}: needs a list of numbers'
            findings.append(setting_error('wrong-value', path, text))
        begin, end = scheduler.get('begin', 0), scheduler.get('end', math.inf)
        if _is_number(begin) and _is_number(end) and end <= begin:
            text = f'{path}: end={end} is not behind begin={begin}'
            findings.append(setting_error('wrong-value', path, text))
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    while isinstance(dataset, Mapping):
        findings += _wrong('train_dataloader.dataset', dataset, {'times': _FROM_1})
        dataset = dataset.get('dataset')
    return findings


def _wrong(
    path: str, part: Mapping[str, Any], values: Mapping[str, str]
) -> list[Finding]:
    findings = []
    for name, needed in values.items():
        value = part.get(name)
        absent = value is None and (name not in part or name in _MAY_BE_NONE)
        if absent or _fits(value, needed, strictly=path.endswith('_dataloader')):
            continue
        text = f'{path}.{name}={value!r}: needs {needed}'
        hint = 'write it without quotes' if _is_quoted(value) else ''
        findings.append(setting_error('wrong-value', path, text, hint))
    return findings


def _fits(value: Any, needed: str, strictly: bool) -> bool:
    if not _is_number(value) or not value >= (needed == _FROM_1):
        return False
    # mmengine takes 12.0 epochs for 12; a DataLoader does not.
    return needed == _NUMBER or isinstance(value, int) or not (strictly or value % 1)


def _is_quoted(value: Any) -> bool:
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )
