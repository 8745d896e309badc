"""Settings that reach every place of a config they concern.

A base config's variables are expanded before a leaf can change them, so that
``data_root = ...`` in a leaf would move nothing. These top-level keys work in
a leaf and behind ``--cfg-options``:

- ``data_root='/path'`` moves the train, val and test data sets.
- ``fold=2`` takes their lists, and the files of evaluators, from the folder
  ``fold_2`` beside them, which ``tools/dataset_converters/split.py`` writes. A
  test list that has no folds beside it stays: it is that of all folds.
- ``classes=[...]`` (or the path of a file with one name a line) replaces the
  class names of all data sets and the class count of every head.
- ``ignore_classes=[...]`` names classes of the annotations that every data set
  leaves out on purpose.
- ``from_scratch=True`` starts from random weights: nothing is downloaded,
  nothing is frozen, batch norm is trained.
- ``loss``, ``sampling``, ``mix`` and ``augment``: see :mod:`custom_datasets.recipes`.
"""

import inspect
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS

from custom_datasets.checking.declared import read_declaration, type_name
from custom_datasets.class_names import read_classes
from custom_datasets.errors import ConfigError
from custom_datasets.recipes import SETTINGS as RECIPES
from custom_datasets.recipes import apply_recipes

SETTINGS = ('data_root', 'fold', 'classes', 'ignore_classes', 'from_scratch', *RECIPES)
"""What works at the top of a config."""

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
EVALUATORS = ('val_evaluator', 'test_evaluator')

_FOLD = re.compile(r'fold_(\d+)')
_UNFROZEN: dict[str, Any] = {'frozen_stages': -1, 'norm_eval': False}


def apply_overrides(cfg: Config) -> None:
    """Carry out all of them in place.

    A key that is absent or None changes nothing. Applying twice is the same
    as applying once. The model's classes are looked up in mmengine's current
    default scope.

    Raises:
        ConfigError: See :func:`apply_data_overrides`, :func:`asks_from_scratch`
            and :func:`custom_datasets.recipes.apply_recipes`.
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


def fold_folder(fold: int) -> str:
    """Return the name of the folder that a fold's lists are in."""
    return f'fold_{fold}'


def fold_numbers(folder: str) -> list[int]:
    """List the folds that have a folder in ``folder``, which may be absent."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(int(match[1]) for match in map(_FOLD.fullmatch, names) if match)


def iter_datasets(cfg: Config) -> Iterator[dict[str, Any]]:
    """Yield the config of each data set, inside wrappers too."""
    for loader in LOADERS:
        if cfg.get(loader):
            yield from _unwrap(cfg[loader].get('dataset'))


def iter_dicts(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every dictionary in a tree of dictionaries and lists."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from iter_dicts(child)


def _unwrap(dataset: Any) -> Iterator[dict[str, Any]]:
    if isinstance(dataset, (list, tuple)):
        for part in dataset:
            yield from _unwrap(part)
    elif isinstance(dataset, dict):
        inner = dataset.get('dataset') or dataset.get('datasets')
        if inner is None:
            yield dataset
        else:
            yield from _unwrap(inner)


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
    is_in_fold = _FOLD.fullmatch(os.path.basename(folder))
    return os.path.isfile(path) and not is_in_fold and not fold_numbers(folder)


def _in_fold(path: str, fold: int, root: str = '') -> str:
    folder, name = os.path.split(path)
    if _FOLD.fullmatch(os.path.basename(folder)):
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
