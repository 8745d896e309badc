"""Check of the names that loaders, loops, optimizers and schedulers are given."""

from collections.abc import Collection, Mapping
from typing import Any

from custom_datasets.checking.declared import type_name
from custom_datasets.checking.finding import Finding
from custom_datasets.checking.parameters import (
    ALSO_CALLED,
    EVALUATION_LOOPS,
    LOADER,
    OPTIMIZERS,
    SCHEDULERS,
    TRAIN_LOOPS,
    WRAPPERS,
    Kinds,
)
from custom_datasets.checking.settings import (
    iter_loaders,
    iter_schedulers,
    setting_error,
)
from custom_datasets.class_names import nearest_class

_OF_REGISTRIES = ('type', '_scope_')


def check_parameters(cfg: Mapping[str, Any]) -> list[Finding]:
    """Find names that what is built from the config does not take.

    A type that :mod:`custom_datasets.checking.parameters` does not have is left
    alone.
    """
    findings = []
    for path, part in iter_loaders(cfg):
        findings += _unknown(path, part, 'DataLoader', LOADER)
        for name in ('dataset', 'sampler'):
            if name not in part:
                text = f'{path} has no {name}'
                findings.append(setting_error('missing-setting', path, text))
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
    for path, scheduler in iter_schedulers(cfg):
        findings += _judge(path, scheduler, SCHEDULERS)
    return findings


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
        owners = [other for other, known in (kinds or {}).items() if key in known]
        nearest = ALSO_CALLED.get(key)
        if nearest not in names:
            nearest = nearest_class(str(key), sorted(names))
        text = f'{path}: {kind} takes no {key!r}'
        hint = 'correct the name, or take it out'
        if owners:
            text += f', which is for {", ".join(owners)}'
            hint = (
                'set by a base config? _delete_=True in that dict of the leaf drops '
                "all of the base's keys there"
            )
        elif nearest:
            text += f'; did you mean {nearest!r}?'
        else:
            text += f'; known: {", ".join(sorted(names))}'
        findings.append(setting_error('unknown-setting', path, text, hint))
    return findings
