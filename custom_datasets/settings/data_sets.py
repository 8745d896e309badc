"""The settings on data: which data sets a config reads, which classes, at what size."""

import os
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from custom_datasets.config import (
    EVALUATORS,
    LOADERS,
    assigned_value,
    base_files,
    fold_folder,
    fold_numbers,
    is_fold_folder,
    is_upstream,
    iter_datasets,
    iter_dicts,
    read_config,
)
from custom_datasets.data.config_sources import read_declaration, type_name
from custom_datasets.data.names import read_classes
from custom_datasets.errors import ConfigError

_SIZES = {
    'Resize': 'scale',
    'RandomResize': 'scale',
    'RandomChoiceResize': 'scales',
    'ResizeEdge': 'scale',
    'RandomResizedCrop': 'scale',
    'CenterCrop': 'crop_size',
    'RandomCrop': 'crop_size',
    'Pad': 'size',
}
"""Where transforms of mmcv, mmdet and mmpretrain have a size, in pixels."""

_STRIDE = 32
"""A detector's batches have sides that are multiples of its largest stride."""


def forget_inherited_root(cfg: Config) -> None:
    """Drop a ``data_root`` that is but a variable of a whole upstream config."""
    files = [cfg.filename] if cfg.get('data_root') is not None and cfg.filename else []
    while files:
        file = files.pop(0)
        root = assigned_value(file, 'data_root')
        if root is not None:
            if root == cfg.data_root and is_upstream(file):
                cfg.pop('data_root')
            return
        files += base_files(file)


def place_dataset(cfg: Config, path: Any) -> None:
    """Put the data sets of a base in the place of those that the leaf inherits.

    What the leaf or the command line changed of a data set stays. Batch size and
    workers are the model's and stay too.
    """
    if not isinstance(path, (str, os.PathLike)) or not os.path.isfile(path):
        raise ConfigError(
            f'dataset_base={path}: no such file; it can be one of '
            'configs/_base_/datasets/'
        )
    base, inherited = read_config(os.fspath(path)), _inherited_data(cfg.filename)
    for loader in LOADERS:
        if inherited:
            new, old = (_unscoped(c[loader]['dataset']) for c in (cfg, inherited))
            base.merge_from_dict({loader: {'dataset': _changes(new, old)}})
        cfg[loader]['dataset'] = base[loader]['dataset']
    if tta_pipeline := _own_tta_pipeline(cfg, inherited) or base.get('tta_pipeline'):
        cfg.tta_pipeline = tta_pipeline
        if 'module' in cfg.model:
            # The stock test.py --tta was here, and took the pipeline that it found.
            cfg.test_dataloader['dataset']['pipeline'] = tta_pipeline
    for evaluator in EVALUATORS:
        if not inherited or (
            _unscoped(cfg[evaluator]) == _unscoped(inherited[evaluator])
        ):
            cfg[evaluator] = base[evaluator]
    for name in ('classes', 'image_scale', 'colour_is_class'):
        if name in base and cfg.get(name) is None:
            cfg[name] = base[name]
    # Advice on the classes of the inherited data sets is none on those of the base.
    if cfg.get('advice') == (inherited or {}).get('advice'):
        cfg.pop('advice', None)
        if 'advice' in base:
            cfg.advice = base.advice
    modules = dict.fromkeys([*_imports(cfg), *_imports(base)])
    cfg.custom_imports = {'imports': list(modules), 'allow_failed_imports': False}
    cfg.num_classes = base.num_classes
    _count_classes(cfg, base.num_classes)
    # A dump of this config needs the base no more.
    cfg.pop('dataset_base')


def move_data(cfg: Config, root: Any) -> None:
    """Move the train, val and test sets to another folder."""
    if not isinstance(root, (str, os.PathLike)):
        raise ConfigError(f'data_root={root!r}: needs the path of a folder')
    for dataset in iter_datasets(cfg):
        dataset['data_root'] = root


def take_fold(cfg: Config, fold: Any) -> None:
    """Let data sets and evaluators read the lists of a fold."""
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


def set_classes(cfg: Config, names: Any) -> None:
    """Give data sets and heads other classes, or those of a file."""
    classes = read_classes(names)
    cfg.classes = classes
    cfg.num_classes = len(classes)
    for dataset in iter_datasets(cfg):
        metainfo = dataset.get('metainfo') or {}
        dataset['metainfo'] = {'palette': 'random', **metainfo, 'classes': classes}
    _count_classes(cfg, len(classes))


def ignore_classes(cfg: Config, names: Any) -> None:
    """Let all data sets leave out classes that are annotated."""
    names = [names] if isinstance(names, str) else names
    listed = isinstance(names, (list, tuple)) and all(isinstance(n, str) for n in names)
    if not listed:
        raise ConfigError(f'ignore_classes={names!r}: needs a list of class names')
    scope = str(cfg.get('default_scope') or 'mmdet')
    for dataset in iter_datasets(cfg):
        kind = type_name(dataset.get('type'))
        if (
            'ignore_classes'
            not in read_declaration(kind, _imports(cfg), scope).defaults
        ):
            raise ConfigError(
                f'ignore_classes: {kind} has no such setting; VOCFolderDataset, '
                'CocoFileDataset and ClassListDataset have it'
            )
        dataset['ignore_classes'] = list(names)


def set_image_scale(cfg: Config, size: Any) -> None:
    """Let every pipeline make images of another size; all its sizes follow.

    What a pipeline's images have now is its ``CenterCrop``, or its first size.
    """
    sides = [size, size] if isinstance(size, int) else size
    if not isinstance(sides, (list, tuple)) or not (
        len(sides) == 2 and all(isinstance(s, int) and s > 0 for s in sides)
    ):
        raise ConfigError(f'image_scale={size!r}: needs width and height in pixels')
    parts = [d for loader in LOADERS for d in iter_dicts(cfg.get(loader))]
    pipelines = [part['pipeline'] for part in parts if part.get('pipeline')]
    rounds = cfg.get('default_scope') == 'mmdet'
    for pipeline in (*pipelines, cfg.get('tta_pipeline') or ()):
        steps = [
            (step, kind, _SIZES[kind])
            for step in iter_dicts(pipeline)
            if (kind := str(step.get('type')).rpartition('.')[2]) in _SIZES
            and step.get(_SIZES[kind])
        ]
        steps.sort(key=lambda found: found[1] != 'CenterCrop')
        for index, (step, kind, key) in enumerate(steps):
            if index == 0:
                before = _largest(step[key])
            value = _resized(step[key], before, sides, kind)
            if rounds and kind in ('RandomCrop', 'Pad'):
                value = tuple(-(-side // _STRIDE) * _STRIDE for side in value)
            step[key] = value


def require_advice_path(cfg: Config, path: Any) -> None:
    """Refuse what is no path; the file itself is read by the check and by a demo."""
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigError(f'advice={path!r}: needs the path of a YAML file')


def _inherited_data(path: str | None) -> Config | None:
    """Read the base that brings a leaf its data sets: upstream's, if there is one."""
    files, others = base_files(path) if path else [], []
    while files:
        file = files.pop(0)
        if not is_upstream(file):
            others.append(file)
            files += base_files(file)
        elif 'train_dataloader' in (cfg := read_config(file)):
            return cfg
    configs = map(read_config, others)
    return next((cfg for cfg in configs if 'train_dataloader' in cfg), None)


def _own_tta_pipeline(cfg: Config, inherited: Config | None) -> Any:
    """Return the leaf's; without one, the stock test.py writes its own to ``cfg``."""
    leaf = read_config(cfg.filename) if inherited else {}
    pipeline = _unscoped(leaf.get('tta_pipeline'))
    return (
        pipeline
        if pipeline != _unscoped((inherited or {}).get('tta_pipeline'))
        else None
    )


def _changes(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs, as deep as both are dictionaries."""
    changes: dict[str, Any] = {}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            if inner := _changes(value, old[key]):
                changes[key] = inner
        elif key not in old or value != old[key]:
            changes[key] = value
    return changes


def _unscoped(node: Any) -> Any:
    """Copy without the ``_scope_`` that mmengine gives to what is inherited."""
    if isinstance(node, dict):
        return {k: _unscoped(value) for k, value in node.items() if k != '_scope_'}
    if isinstance(node, (list, tuple)):
        return type(node)(_unscoped(value) for value in node)
    return node


def _imports(cfg: Config) -> list[str]:
    return list((cfg.get('custom_imports') or {}).get('imports') or ())


def _is_apart(path: str, root: str = '') -> bool:
    """Say whether a list exists that has no folds beside it."""
    path = os.path.join(root, path)
    folder = os.path.dirname(path)
    in_fold = is_fold_folder(os.path.basename(folder))
    return os.path.isfile(path) and not in_fold and not fold_numbers(folder)


def _in_fold(path: str, fold: int, root: str = '') -> str:
    folder, name = os.path.split(path)
    if is_fold_folder(os.path.basename(folder)):
        folder = os.path.dirname(folder)
    lists = os.path.join(root, folder)
    moved = os.path.join(folder, fold_folder(fold), name)
    # Where the data are somewhere else altogether, the data set says so better.
    if os.path.isdir(lists) and not os.path.isfile(os.path.join(root, moved)):
        numbers = ', '.join(map(str, fold_numbers(lists))) or 'none'
        raise ConfigError(
            f'{os.path.join(root, moved)}: no such list; folds that exist: {numbers}; '
            'tools/dataset_converters/split.py --folds K writes them'
        )
    return moved


def _count_classes(cfg: Config, count: int) -> None:
    # mmpretrain's data_preprocessor counts classes too, to mix labels.
    for part in iter_dicts([cfg.get('model'), cfg.get('data_preprocessor')]):
        if 'num_classes' in part:
            part['num_classes'] = count


def _largest(value: Any) -> tuple[int, int]:
    """Return width and height of a size, a side, or the largest of several."""
    if isinstance(value, int):
        return value, value
    pairs = value if isinstance(value[0], (list, tuple)) else [value]
    return max(pair[0] for pair in pairs), max(pair[1] for pair in pairs)


def _resized(value: Any, before: tuple[int, int], after: Any, kind: str) -> Any:
    if isinstance(value, int):
        if after[0] != after[1]:
            raise ConfigError(
                f'image_scale={tuple(after)}: {kind} has one side; set image_scale=N'
            )
        return round(value * after[0] / before[0])
    if isinstance(value[0], (list, tuple)):
        return [_resized(pair, before, after, kind) for pair in value]
    return tuple(
        round(old * new / now)
        for old, new, now in zip(value, after, before, strict=True)
    )
