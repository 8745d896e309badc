"""Four settings against imbalance and overfitting, each one override.

- ``loss=focal``, ``class-weighted`` or ``label-smoothing`` (classification).
- ``sampling=class-balanced`` (classification) or ``repeat-factor``.
- ``mix=mixup`` or ``cutmix`` (classification).
- ``augment=geometry,blur``: groups of :mod:`custom_datasets.augmentation`.

They set what a leaf could say in stock terms; ``configs/waste/README.md`` has
what each gave there.
"""

from collections.abc import Collection
from typing import Any

from mmengine.config import Config

from custom_datasets.augmentation import apply_augment
from custom_datasets.errors import ConfigError

LOSSES: dict[str, dict[str, Any]] = {
    'focal': {'type': 'FocalLoss', 'gamma': 2.0, 'alpha': 0.25},
    'class-weighted': {'type': 'CrossEntropyLoss'},
    'label-smoothing': {
        'type': 'LabelSmoothLoss',
        'label_smooth_val': 0.1,
        'mode': 'original',
    },
}
"""Focal: Lin et al. 2017, sigmoid, as mmpretrain has it. Smoothing: Szegedy et al.
2016. The weights of ``class-weighted`` come from
:class:`custom_datasets.balancing.ClassWeightHook`."""

MIXES: dict[str, dict[str, Any]] = {
    'mixup': {'type': 'Mixup', 'alpha': 0.2},
    'cutmix': {'type': 'CutMix', 'alpha': 1.0},
}
"""The alphas of mmpretrain's own ResNet-50 configs."""

SETTINGS = ('loss', 'sampling', 'mix', 'augment', 'colour_is_class')
"""What is read at the top of a config."""

SAMPLINGS = ('class-balanced', 'repeat-factor')


def apply_recipes(cfg: Config) -> None:
    """Carry out ``loss``, ``sampling``, ``mix`` and ``augment`` in place.

    A key that is absent or None changes nothing, and applying twice is the same
    as applying once.

    Raises:
        ConfigError: A value is unknown, is for another task, or two of them do
            the same.
    """
    loss, sampling, mix = (cfg.get(key) for key in ('loss', 'sampling', 'mix'))
    if (loss, sampling) == ('class-weighted', 'class-balanced'):
        raise ConfigError(
            'loss=class-weighted and sampling=class-balanced: each corrects for the '
            'same imbalance, together they turn it round; take one'
        )
    if loss is not None:
        head = _head(cfg, 'loss', loss, LOSSES)
        head['loss'] = dict(LOSSES[loss])
        if loss == 'class-weighted':
            _add_hook(cfg, {'type': 'ClassWeightHook'})
    if mix is not None:
        head = _head(cfg, 'mix', mix, MIXES)
        cfg.model['train_cfg'] = {'augments': dict(MIXES[mix])}
        if (head.get('loss') or {}).get('type') == 'CrossEntropyLoss':
            head['loss']['use_soft'] = True
    if sampling is not None:
        _sample(cfg, sampling)
    if cfg.get('augment') is not None:
        apply_augment(cfg, cfg.augment)


def _sample(cfg: Config, sampling: Any) -> None:
    _require_known('sampling', sampling, SAMPLINGS)
    loader = cfg.train_dataloader
    if sampling == 'class-balanced':
        _head(cfg, 'sampling', sampling, SAMPLINGS)
        loader['sampler'] = {'type': 'ClassBalancedSampler'}
    elif loader['dataset']['type'] != 'RepeatFactorDataset':
        loader['dataset'] = {
            'type': 'RepeatFactorDataset',
            'dataset': loader['dataset'],
        }


def _head(cfg: Config, key: str, value: Any, known: Collection[str]) -> dict[str, Any]:
    """Return the head of a classifier."""
    _require_known(key, value, known)
    head = cfg.model.get('head')
    if not isinstance(head, dict) or cfg.model['type'] != 'ImageClassifier':
        hint = '; sampling=repeat-factor is for both' if key == 'sampling' else ''
        raise ConfigError(
            f'{key}={value} is for classification, and the model is '
            f'{cfg.model["type"]}{hint}'
        )
    return head


def _add_hook(cfg: Config, hook: dict[str, Any]) -> None:
    hooks = list(cfg.get('custom_hooks') or ())
    if hook not in hooks:
        cfg.custom_hooks = [*hooks, hook]


def _require_known(key: str, value: Any, known: Collection[str]) -> None:
    there = ', '.join(known)
    if isinstance(value, (list, tuple)):
        given = ','.join(map(str, value))
        raise ConfigError(f'{key}={given}: only one can be set; there are {there}')
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f'{key}={value}: no such {key}; there are {there}')
