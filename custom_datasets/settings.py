"""Albumentations in groups of similar transforms: one of each group is applied.

``augment=geometry,blur`` puts the groups of that name behind all other steps of
a classifier's training pipeline. ``configs/waste/README.md`` has what each gave.
"""

import inspect
import os
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS

from custom_datasets.config import (
    EVALUATORS,
    FOLD,
    LOADERS,
    fold_folder,
    fold_numbers,
    iter_datasets,
    iter_dicts,
)
from custom_datasets.data.config_sources import read_declaration, type_name
from custom_datasets.data.names import read_classes
from custom_datasets.errors import ConfigError

Step = dict[str, Any]

GROUPS: dict[str, list[Step]] = {
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
"""All but ``colour`` leave hues as they are."""

INSTALL = (
    "augment needs Albumentations: in the plugin's folder, pip install -e "
    '".[albumentations]"'
)


def apply_augment(cfg: Config, names: str | Sequence[str]) -> None:
    """Put groups behind all other transforms of the training pipeline, in place.

    Args:
        cfg: A classifier's.
        names: Keys of :data:`GROUPS`; one that stands twice counts once.

    Raises:
        ConfigError: They are no names, one is unknown, Albumentations is missing,
            the model is no classifier, or colour is what tells the classes apart.
    """
    names = [names] if isinstance(names, str) else names
    known = isinstance(names, (list, tuple)) and all(isinstance(n, str) for n in names)
    if not known:
        there = ', '.join(GROUPS)
        raise ConfigError(f'augment={names}: needs names of groups; there are {there}')
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in GROUPS:
            there = ', '.join(GROUPS)
            raise ConfigError(f'augment={name}: no such group; there are {there}')
    if cfg.model['type'] != 'ImageClassifier':
        raise ConfigError(
            f'augment={",".join(names)} is for classification, and the model is '
            f'{cfg.model["type"]}'
        )
    if 'colour' in names and cfg.get('colour_is_class'):
        raise ConfigError(
            'augment=colour: colour tells the classes of this data set apart; leave '
            'it out, or say colour_is_class=False'
        )
    if find_spec('albumentations') is None:
        raise ConfigError(INSTALL)
    dataset = _with_pipeline(cfg.train_dataloader['dataset'])
    step = {'type': 'OneOfEachGroup', 'groups': [GROUPS[name] for name in names]}
    *steps, pack = (s for s in dataset['pipeline'] if s['type'] != step['type'])
    dataset['pipeline'] = [*steps, step, pack]


def _with_pipeline(dataset: Any) -> Any:
    """Return the data set that has the pipeline, inside of wrappers."""
    while isinstance(dataset.get('dataset'), Mapping):
        dataset = dataset['dataset']
    return dataset


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
:class:`custom_datasets.training.sampling.ClassWeightHook`."""

MIXES: dict[str, dict[str, Any]] = {
    'mixup': {'type': 'Mixup', 'alpha': 0.2},
    'cutmix': {'type': 'CutMix', 'alpha': 1.0},
}
"""The alphas of mmpretrain's own ResNet-50 configs."""

RECIPES = ('loss', 'sampling', 'mix', 'augment', 'colour_is_class')
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


SETTINGS = ('data_root', 'fold', 'classes', 'ignore_classes', 'from_scratch', *RECIPES)
"""What works at the top of a config."""


_UNFROZEN: dict[str, Any] = {'frozen_stages': -1, 'norm_eval': False}


def apply_overrides(cfg: Config) -> None:
    """Carry out all of them in place.

    A key that is absent or None changes nothing. Applying twice is the same
    as applying once. The model's classes are looked up in mmengine's current
    default scope.

    Raises:
        ConfigError: See :func:`apply_data_overrides`, :func:`asks_from_scratch`
            and :func:`custom_datasets.settings.apply_recipes`.
    """
    apply_data_overrides(cfg)
    apply_recipes(cfg)
    if asks_from_scratch(cfg):
        _start_from_scratch(cfg.model)


def apply_data_overrides(cfg: Config) -> None:
    """Carry out those on data.

    These are ``data_root``, ``fold``, ``classes`` and ``ignore_classes``.

    Raises:
        ConfigError: ``data_root`` is no path, a class list can't be read,
            ``fold`` is no number from 0, there are lists but none of that fold,
            or a data set can't leave out classes.
    """
    if cfg.get('data_root') is not None:
        if not isinstance(cfg.data_root, (str, os.PathLike)):
            raise ConfigError(
                f'data_root={cfg.data_root!r}: needs the path of a folder'
            )
        for dataset in iter_datasets(cfg):
            dataset['data_root'] = cfg.data_root
    if cfg.get('fold') is not None:
        _take_fold(cfg, cfg.fold)
    if cfg.get('classes') is not None:
        _set_classes(cfg, read_classes(cfg.classes))
    if cfg.get('ignore_classes') is not None:
        _ignore_classes(cfg, cfg.ignore_classes)


def asks_from_scratch(cfg: Mapping[str, Any]) -> bool:
    """Say whether a config sets ``from_scratch``.

    Raises:
        ConfigError: It is neither True nor False; as text, ``no`` would be true.
    """
    wanted = cfg.get('from_scratch')
    if wanted is not None and not isinstance(wanted, bool):
        raise ConfigError(f'from_scratch={wanted}: it can be True or False')
    return bool(wanted)


def _take_fold(cfg: Config, fold: Any) -> None:
    if isinstance(fold, bool) or not isinstance(fold, int) or fold < 0:
        raise ConfigError(f'fold={fold!r}: folds are numbers, counted from 0')
    for loader in LOADERS:
        for dataset in iter_datasets({loader: cfg.get(loader)}):
            path, root = dataset.get('ann_file'), dataset.get('data_root') or ''
            if not path:
                raise ConfigError(
                    f'fold={fold}: {dataset.get("type")} has no ann_file, and folds '
                    'are lists'
                )
            if not (loader == 'test_dataloader' and _is_apart(path, root)):
                dataset['ann_file'] = _in_fold(path, fold, root)
    for evaluator in EVALUATORS:
        for metric in iter_dicts(cfg.get(evaluator)):
            path = metric.get('ann_file')
            if path and not (evaluator == 'test_evaluator' and _is_apart(path)):
                metric['ann_file'] = _in_fold(path, fold)


def _is_apart(path: str, root: str = '') -> bool:
    """Say whether a list is there that has no folds beside it."""
    path = os.path.join(root, path)
    folder = os.path.dirname(path)
    is_in_fold = FOLD.fullmatch(os.path.basename(folder))
    return os.path.isfile(path) and not is_in_fold and not fold_numbers(folder)


def _in_fold(path: str, fold: int, root: str = '') -> str:
    folder, name = os.path.split(path)
    if FOLD.fullmatch(os.path.basename(folder)):
        folder = os.path.dirname(folder)
    lists = os.path.join(root, folder)
    moved = os.path.join(folder, fold_folder(fold), name)
    # Where the data are somewhere else altogether, the data set says so better.
    if os.path.isdir(lists) and not os.path.isfile(os.path.join(root, moved)):
        there = ', '.join(map(str, fold_numbers(lists))) or 'none'
        raise ConfigError(
            f'{os.path.join(root, moved)}: no such list; folds that are there: '
            f'{there}; tools/dataset_converters/split.py --folds K writes them'
        )
    return moved


def _set_classes(cfg: Config, classes: tuple[str, ...]) -> None:
    cfg.classes = classes
    cfg.num_classes = len(classes)
    for dataset in iter_datasets(cfg):
        given = dataset.get('metainfo') or {}
        dataset['metainfo'] = {'palette': 'random', **given, 'classes': classes}
    # mmpretrain's data_preprocessor counts classes too, to mix labels.
    for part in iter_dicts([cfg.get('model'), cfg.get('data_preprocessor')]):
        if 'num_classes' in part:
            part['num_classes'] = len(classes)


def _ignore_classes(cfg: Config, names: Any) -> None:
    names = [names] if isinstance(names, str) else names
    listed = isinstance(names, (list, tuple)) and all(isinstance(n, str) for n in names)
    if not listed:
        raise ConfigError(f'ignore_classes={names!r}: needs a list of class names')
    modules = list((cfg.get('custom_imports') or {}).get('imports') or ())
    scope = str(cfg.get('default_scope') or 'mmdet')
    for dataset in iter_datasets(cfg):
        kind = type_name(dataset.get('type'))
        if 'ignore_classes' not in read_declaration(kind, modules, scope).defaults:
            raise ConfigError(
                f'ignore_classes: {kind} has no such setting; VOCFolderDataset, '
                'CocoFileDataset and ClassListDataset have it'
            )
        dataset['ignore_classes'] = list(names)


def _start_from_scratch(model: dict[str, Any]) -> None:
    for part in iter_dicts(model):
        init_cfg = part.get('init_cfg')
        if isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained':
            part['init_cfg'] = None
        elif isinstance(init_cfg, (list, tuple)):
            kept = [init for init in init_cfg if init.get('type') != 'Pretrained']
            part['init_cfg'] = kept or None
        if part.get('pretrained'):
            part['pretrained'] = None
        defaults = _defaults(part)
        for key, value in _UNFROZEN.items():
            if key in part or key in defaults:
                part[key] = value
        if defaults.get('frozen_stages') == 0:
            # EfficientNet counts frozen stages from 0, and refuses -1.
            part['frozen_stages'] = 0
        norm_cfg = part.get('norm_cfg')
        if isinstance(norm_cfg, dict) and 'requires_grad' in norm_cfg:
            norm_cfg['requires_grad'] = True


def _defaults(part: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the registered class that ``part`` builds."""
    kind = part.get('type')
    with MODELS.switch_scope_and_registry(None) as registry:
        cls = registry.get(kind) if isinstance(kind, str) else kind
    if not inspect.isclass(cls):
        return {}
    parameters = inspect.signature(cls).parameters
    return {name: parameter.default for name, parameter in parameters.items()}
