"""Checks of the settings of loaders, loops, optimizers and schedulers.

The names that they take are kept here, so that the check loads no torch; a test
compares them with the signatures.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from custom_datasets.checks.codes import find
from custom_datasets.config import LOADERS
from custom_datasets.data.config_sources import type_name
from custom_datasets.data.names import nearest_class
from custom_datasets.data.problems import Finding

Kinds = Mapping[str, frozenset[str]]
"""Names by ``type``; a type that is not in it is not judged."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


LOADER = _names(
    """
    dataset batch_size shuffle sampler batch_sampler num_workers collate_fn pin_memory
    drop_last timeout worker_init_fn multiprocessing_context generator prefetch_factor
    persistent_workers pin_memory_device in_order
    num_batch_per_epoch disable_subprocess_warning
    """
)
"""Of ``DataLoader``; the last line is of mmengine's ``Runner.build_dataloader``."""

_OF_ALL = _names('lr foreach maximize capturable differentiable fused')

OPTIMIZERS: Kinds = {
    name: _OF_ALL | _names(own)
    for name, own in {
        'SGD': 'momentum dampening weight_decay nesterov',
        'Adam': 'betas eps weight_decay amsgrad decoupled_weight_decay',
        'AdamW': 'betas eps weight_decay amsgrad',
        'RMSprop': 'alpha eps weight_decay momentum centered',
        'Adagrad': 'lr_decay weight_decay initial_accumulator_value eps',
        'Adadelta': 'rho eps weight_decay',
        'Adamax': 'betas eps weight_decay',
        'NAdam': 'betas eps weight_decay momentum_decay decoupled_weight_decay',
        'RAdam': 'betas eps weight_decay decoupled_weight_decay',
        'Rprop': 'etas step_sizes',
        'ASGD': 'lambd alpha t0 weight_decay',
    }.items()
}
"""Of ``torch.optim``. Not each of them takes all of the six common names, which
only those set who have read its page."""

_WRAPPER = _names('optimizer accumulative_counts clip_grad constructor paramwise_cfg')

WRAPPERS: Kinds = {
    'OptimWrapper': _WRAPPER,
    'AmpOptimWrapper': _WRAPPER | _names('loss_scale dtype use_fsdp'),
}
"""With the two names that mmengine's ``build_optim_wrapper`` takes out."""

_LOOP = _names('val_begin val_interval dynamic_intervals')

TRAIN_LOOPS: Kinds = {
    'EpochBasedTrainLoop': _LOOP | _names('max_epochs'),
    'IterBasedTrainLoop': _LOOP | _names('max_iters fast_forward_on_resume'),
}

EVALUATION_LOOPS: Kinds = {'ValLoop': _names('fp16'), 'TestLoop': _names('fp16')}

_SCHEDULER = _names('begin end last_step by_epoch verbose convert_to_iter_based')

SCHEDULERS: Kinds = {
    name: _SCHEDULER | _names(own)
    for name, own in {
        'LinearLR': 'start_factor end_factor',
        'ConstantLR': 'factor',
        'StepLR': 'step_size gamma',
        'MultiStepLR': 'milestones gamma',
        'ExponentialLR': 'gamma',
        'CosineAnnealingLR': 'T_max eta_min eta_min_ratio',
        'PolyLR': 'eta_min power',
    }.items()
}
"""The last of the common names is taken out by mmengine's runner."""

ALSO_CALLED = {
    'learning_rate': 'lr',
    'epochs': 'max_epochs',
    'num_epochs': 'max_epochs',
    'iters': 'max_iters',
    'workers': 'num_workers',
}
"""What other libraries call them."""


_OF_REGISTRIES = ('type', '_scope_')
_FROM_1 = 'a whole number of at least 1'
_FROM_0 = 'a whole number of at least 0'
_NUMBER = 'a number of at least 0'
_VALUES = {
    'train_cfg': {
        **dict.fromkeys(('max_epochs', 'max_iters', 'val_interval'), _FROM_1),
        'val_begin': _FROM_0,
    },
    'optim_wrapper': {'accumulative_counts': _FROM_1},
    'optim_wrapper.optimizer': dict.fromkeys(
        ('lr', 'momentum', 'weight_decay'), _NUMBER
    ),
    'auto_scale_lr': {'base_batch_size': _FROM_1},
    'default_hooks.logger': {'interval': _FROM_0},
}
_LOADER_VALUES = {'batch_size': _FROM_1, 'num_workers': _FROM_0}
_WITH_WORKERS = {'persistent_workers': False, 'prefetch_factor': None}
_MAY_BE_NONE = ('batch_size', 'base_batch_size')
_SCHEDULER_VALUES = {'begin': _NUMBER, 'end': _NUMBER}


def check_parameters(cfg: Mapping[str, Any]) -> list[Finding]:
    """Find settings that their class does not take, and missing ones."""
    findings = []
    for path, part in _loaders(cfg):
        findings += _unknown(path, part, 'DataLoader', LOADER)
        for name in ('dataset', 'sampler'):
            if name not in part:
                text = f'{path} has no {name}'
                findings.append(_find('missing-setting', path, text))
    loop = cfg.get('train_cfg') or {}
    by_epoch = loop.get('by_epoch')
    if 'type' in loop or by_epoch is None:
        findings += _judge('train_cfg', loop, TRAIN_LOOPS)
    else:
        kind = 'EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop'
        names = TRAIN_LOOPS[kind] | {'by_epoch'}
        findings += _unknown('train_cfg', loop, kind, names, TRAIN_LOOPS)
    for path, kind in (('val_cfg', 'ValLoop'), ('test_cfg', 'TestLoop')):
        findings += _judge(path, cfg.get(path) or {}, EVALUATION_LOOPS, kind)
    wrapper = cfg.get('optim_wrapper') or {}
    # Another constructor may take names out of either.
    if wrapper.get('constructor') in (None, 'DefaultOptimWrapperConstructor'):
        findings += _judge('optim_wrapper', wrapper, WRAPPERS, 'OptimWrapper')
        optimizer = wrapper.get('optimizer') or {}
        findings += _judge('optim_wrapper.optimizer', optimizer, OPTIMIZERS)
    for path, scheduler in _schedulers(cfg):
        findings += _judge(path, scheduler, SCHEDULERS)
    return findings


def check_values(cfg: Mapping[str, Any]) -> list[Finding]:
    """Find values that are not numbers, or that nothing can be built with."""
    findings = []
    for path, part in _loaders(cfg):
        findings += _wrong(path, part, _LOADER_VALUES)
        for name, off in _WITH_WORKERS.items():
            if part.get(name) and not part.get('num_workers'):
                text = f'{path}: {name}={part[name]!r} needs num_workers of at least 1'
                hint = f'with num_workers=0, set {name}={off}'
                findings.append(_find('wrong-value', path, text, hint=hint))
    for path, values in _VALUES.items():
        part = cfg
        for name in path.split('.'):
            part = part.get(name) or {}
        findings += _wrong(path, part, values)
    for path, scheduler in _schedulers(cfg):
        findings += _wrong(path, scheduler, _SCHEDULER_VALUES)
        steps = scheduler.get('milestones') or []
        if not isinstance(steps, (list, tuple)) or not all(map(_is_number, steps)):
            text = f'{path}.milestones={steps!r}: must be a list of numbers'
            findings.append(_find('wrong-value', path, text))
        begin, end = scheduler.get('begin', 0), scheduler.get('end', math.inf)
        if _is_number(begin) and _is_number(end) and end <= begin:
            text = f'{path}: end={end} is not after begin={begin}'
            findings.append(_find('wrong-value', path, text))
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    while isinstance(dataset, Mapping):
        findings += _wrong('train_dataloader.dataset', dataset, {'times': _FROM_1})
        dataset = dataset.get('dataset')
    return findings


def _loaders(cfg: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, cfg[name]) for name in LOADERS if cfg.get(name))


def _schedulers(cfg: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    schedulers = cfg.get('param_scheduler') or ()
    if isinstance(schedulers, Mapping):
        schedulers = [schedulers]
    for index, scheduler in enumerate(schedulers):
        if isinstance(scheduler, Mapping):
            yield f'param_scheduler.{index}', scheduler


def _find(
    code: str, path: str, message: str, case: str = '', hint: str = ''
) -> Finding:
    # A part of a name of its own, as train.py is not stopped by the test set's.
    split = path.removesuffix('_dataloader') if path in LOADERS else None
    return find(code, message, case=case, hint=hint, split=split)


def _judge(
    path: str, part: Mapping[str, Any], kinds: Kinds, default: str = ''
) -> list[Finding]:
    kind = type_name(part.get('type') or default).rpartition('.')[2]
    return _unknown(path, part, kind, kinds[kind], kinds) if kind in kinds else []


def _unknown(
    path: str,
    part: Mapping[str, Any],
    kind: str,
    names: Collection[str],
    kinds: Kinds | None = None,
) -> list[Finding]:
    findings = []
    for key in part:
        if key in names or key in _OF_REGISTRIES:
            continue
        owners = [other for other, taken in (kinds or {}).items() if key in taken]
        nearest = ALSO_CALLED.get(key)
        if nearest not in names:
            nearest = nearest_class(str(key), sorted(names))
        text = f'{path}: {kind} takes no {key!r}'
        if owners:
            text += f', which is for {", ".join(owners)}'
        elif nearest:
            text += f'; did you mean {nearest!r}?'
        else:
            text += f'; known: {", ".join(sorted(names))}'
        case = 'a parameter of another type' if owners else ''
        findings.append(_find('unknown-setting', path, text, case))
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
        text = f'{path}.{name}={value!r}: must be {needed}'
        case = 'a number in quotes' if _is_quoted(value) else ''
        findings.append(_find('wrong-value', path, text, case))
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
