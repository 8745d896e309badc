"""How a model is trained: loss, sampling, mixing, augmentation, from scratch or not.

What each gave on a small data set is in ``configs/waste/README.md``.
"""

import inspect
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS

from custom_datasets.config import iter_dicts
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
2016. The weights of ``class-weighted`` come from ``ClassWeightHook``."""

MIXES: dict[str, dict[str, Any]] = {
    'mixup': {'type': 'Mixup', 'alpha': 0.2},
    'cutmix': {'type': 'CutMix', 'alpha': 1.0},
}
"""The alphas of mmpretrain's own ResNet-50 configs."""

SAMPLINGS = ('class-balanced', 'repeat-factor')

PLACES = ('ram', 'disk')

GROUPS: dict[str, list[dict[str, Any]]] = {
    'geometry': [
        {'type': 'Affine', 'rotate': (-25, 25), 'scale': (0.9, 1.1)},
        {'type': 'Affine', 'shear': (-12, 12)},
        {'type': 'Perspective', 'scale': (0.05, 0.1)},
    ],
    'blur': [
        {'type': 'GaussianBlur', 'blur_limit': (3, 5)},
        {'type': 'MedianBlur', 'blur_limit': 3},
        {'type': 'MotionBlur', 'blur_limit': (3, 5)},
    ],
    'noise': [
        {'type': 'GaussNoise', 'std_range': (0.02, 0.06), 'per_channel': False},
        {'type': 'MultiplicativeNoise', 'multiplier': (0.9, 1.1), 'elementwise': True},
    ],
    'light': [
        {'type': 'RandomBrightnessContrast'},
        {'type': 'RandomGamma', 'gamma_limit': (70, 140)},
        {'type': 'CLAHE', 'clip_limit': (1, 2), 'tile_grid_size': (4, 4)},
    ],
    'occlusion': [
        {'type': 'Erasing', 'scale': (0.02, 0.15)},
        {'type': 'GridDropout', 'ratio': 0.3, 'holes_number_xy': (4, 4)},
    ],
    'colour': [
        {'type': 'HueSaturationValue'},
        {'type': 'ToGray'},
    ],
}
"""Similar transforms of Albumentations, of which one is applied; only ``colour``
changes hues."""


def set_loss(cfg: Config, name: Any) -> None:
    """Give a classifier's head another loss."""
    head = _head(cfg, 'loss', name, LOSSES)
    if name == 'class-weighted' and cfg.get('sampling') == 'class-balanced':
        raise ConfigError(
            'loss=class-weighted and sampling=class-balanced: each corrects for the '
            'same imbalance, and both together reverse it; use one'
        )
    head['loss'] = dict(LOSSES[name])
    hook = {'type': 'ClassWeightHook'}
    hooks = list(cfg.get('custom_hooks') or ())
    if name == 'class-weighted' and hook not in hooks:
        cfg.custom_hooks = [*hooks, hook]


def set_mix(cfg: Config, name: Any) -> None:
    """Mix the images of a batch, and their labels; behind :func:`set_loss`."""
    head = _head(cfg, 'mix', name, MIXES)
    cfg.model['train_cfg'] = {'augments': dict(MIXES[name])}
    if (head.get('loss') or {}).get('type') == 'CrossEntropyLoss':
        head['loss']['use_soft'] = True


def set_sampling(cfg: Config, name: Any) -> None:
    """Show rare classes more often."""
    _require_known('sampling', name, SAMPLINGS)
    loader = cfg.train_dataloader
    if name == 'class-balanced':
        _head(cfg, 'sampling', name, SAMPLINGS)
        loader['sampler'] = {'type': 'ClassBalancedSampler'}
    elif loader['dataset']['type'] != 'RepeatFactorDataset':
        loader['dataset'] = {
            'type': 'RepeatFactorDataset',
            'dataset': loader['dataset'],
        }


def set_augment(cfg: Config, names: Any) -> None:
    """Put groups of transforms behind all others of a classifier's training."""
    names = [names] if isinstance(names, str) else names
    choices = ', '.join(GROUPS)
    if not isinstance(names, (list, tuple)) or not all(
        isinstance(name, str) for name in names
    ):
        raise ConfigError(f'augment={names}: needs names of groups: {choices}')
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in GROUPS:
            raise ConfigError(f'augment={name}: no such group; it can be {choices}')
    if cfg.model['type'] != 'ImageClassifier':
        raise ConfigError(
            f'augment={",".join(names)} is for classification, and the model is '
            f'{cfg.model["type"]}'
        )
    if 'colour' in names and cfg.get('colour_is_class'):
        raise ConfigError(
            'augment=colour: colour tells the classes of this data set apart; leave '
            'it out, or set colour_is_class=False'
        )
    if find_spec('albumentations') is None:
        raise ConfigError(
            "augment needs Albumentations: in the plugin's folder, pip install -e "
            '".[albumentations]"'
        )
    dataset = cfg.train_dataloader['dataset']
    while isinstance(dataset.get('dataset'), Mapping):
        dataset = dataset['dataset']
    step = {'type': 'OneOfEachGroup', 'groups': [GROUPS[name] for name in names]}
    *steps, pack = (s for s in dataset['pipeline'] if s['type'] != step['type'])
    dataset['pipeline'] = [*steps, step, pack]


def read_cache(cfg: Mapping[str, Any]) -> str | None:
    """Return where pixels are kept; raises a ConfigError for anything else."""
    place = cfg.get('cache')
    if place is None or place is False:
        return None
    if not isinstance(place, str) or place not in PLACES:
        raise ConfigError(f'cache={place}: it can be {" or ".join(PLACES)}')
    return place


def asks_from_scratch(cfg: Mapping[str, Any]) -> bool:
    """Say whether a config sets ``from_scratch``.

    Raises:
        ConfigError: It is neither True nor False; as text, ``no`` would be true.
    """
    wanted = cfg.get('from_scratch')
    if wanted is not None and not isinstance(wanted, bool):
        raise ConfigError(f'from_scratch={wanted}: it can be True or False')
    return bool(wanted)


def start_from_scratch(cfg: Config, wanted: Any) -> None:
    """Take pretrained weights out of a model, and freeze nothing.

    The model's classes are looked up in mmengine's current default scope.
    """
    if not asks_from_scratch({'from_scratch': wanted}):
        return
    for part in iter_dicts(cfg.model):
        init_cfg = part.get('init_cfg')
        if isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained':
            part['init_cfg'] = None
        elif isinstance(init_cfg, (list, tuple)):
            kept = [init for init in init_cfg if init.get('type') != 'Pretrained']
            part['init_cfg'] = kept or None
        if part.get('pretrained'):
            part['pretrained'] = None
        defaults = _defaults(part)
        for key, value in {'frozen_stages': -1, 'norm_eval': False}.items():
            if key in part or key in defaults:
                part[key] = value
        if defaults.get('frozen_stages') == 0:
            # EfficientNet counts frozen stages from 0, and refuses -1.
            part['frozen_stages'] = 0
        norm_cfg = part.get('norm_cfg')
        if isinstance(norm_cfg, dict) and 'requires_grad' in norm_cfg:
            norm_cfg['requires_grad'] = True


def _head(cfg: Config, key: str, value: Any, choices: Collection[str]) -> Any:
    """Return the head of a classifier."""
    _require_known(key, value, choices)
    head = cfg.model.get('head')
    if not isinstance(head, dict) or cfg.model['type'] != 'ImageClassifier':
        hint = '; sampling=repeat-factor is for both' if key == 'sampling' else ''
        raise ConfigError(
            f'{key}={value} is for classification, and the model is '
            f'{cfg.model["type"]}{hint}'
        )
    return head


def _require_known(key: str, value: Any, choices: Collection[str]) -> None:
    names = ', '.join(choices)
    if isinstance(value, (list, tuple)):
        listed = ','.join(map(str, value))
        raise ConfigError(f'{key}={listed}: only one can be set: {names}')
    if not isinstance(value, str) or value not in choices:
        raise ConfigError(f'{key}={value}: no such {key}; it can be {names}')


def _defaults(part: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the registered class that ``part`` builds."""
    kind = part.get('type')
    with MODELS.switch_scope_and_registry(None) as registry:
        cls = registry.get(kind) if isinstance(kind, str) else kind
    if not inspect.isclass(cls):
        return {}
    parameters = inspect.signature(cls).parameters
    return {name: parameter.default for name, parameter in parameters.items()}
