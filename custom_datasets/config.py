"""Walking a config: sections, loaders, data sets, dictionaries, files, folds."""

import ast
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from custom_datasets.errors import ConfigError
from custom_datasets.starting import find_bases_quickly
from custom_datasets.versions import INSTALL, package_folder

find_bases_quickly()

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
EVALUATORS = ('val_evaluator', 'test_evaluator')

_SECTIONS = (
    *('model', *LOADERS, 'train_cfg', 'val_cfg', 'test_cfg', 'default_hooks'),
    *('optim_wrapper', 'auto_scale_lr', 'custom_imports', 'data_preprocessor'),
)
_INNER = {
    'train_dataloader': ('dataset',),
    'optim_wrapper': ('optimizer',),
    'default_hooks': ('logger', 'checkpoint'),
}
_FOLD = re.compile(r'fold_(\d+)')


def read_config(path: str) -> Config:
    """Read a config without importing what it imports; raises a ConfigError."""
    try:
        return Config.fromfile(path, import_custom_modules=False)
    except ImportError as error:
        raise ConfigError(f'{path}: {error}; {INSTALL}') from error
    except (OSError, SyntaxError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f'{path}: cannot be read ({error})') from error


def require_sections(cfg: Mapping[str, Any]) -> None:
    """Raise a ConfigError where a section is not a dictionary."""
    for name in _SECTIONS:
        part = cfg.get(name)
        _require_dict(name, part)
        for inner in _INNER.get(name, ()):
            _require_dict(f'{name}.{inner}', (part or {}).get(inner))
    schedulers = cfg.get('param_scheduler')
    if schedulers is not None and not isinstance(schedulers, (Mapping, list, tuple)):
        raise ConfigError(f'param_scheduler={schedulers!r}: must be a list of dicts')


def iter_datasets(
    cfg: Config, loaders: Sequence[str] = LOADERS
) -> Iterator[dict[str, Any]]:
    """Yield the config of each data set, inside wrappers too."""
    for loader in loaders:
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


def base_files(path: str) -> list[str]:
    """Return the existing files that a config in Python names in ``_base_``."""
    named = assigned_value(path, '_base_') or []
    files = []
    for base in [named] if isinstance(named, str) else named:
        package, separator, inner = base.partition('::')
        if separator:
            paths = [os.path.join(folder, inner) for folder in _config_folders(package)]
            files += paths
        else:
            files.append(os.path.join(os.path.dirname(path), base))
    return list(filter(os.path.isfile, files))


def assigned_value(path: str, name: str) -> Any:
    """Return the literal that a config in Python assigns to a name, or None."""
    if not path.endswith('.py') or not os.path.isfile(path):
        return None
    with open(path, encoding='utf-8') as file:
        tree = ast.parse(file.read())
    value = None
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names = [node.id for node in node.targets if isinstance(node, ast.Name)]
            if name in names:
                try:
                    value = ast.literal_eval(node.value)
                except ValueError:
                    value = None
    return value


def is_upstream(path: str) -> bool:
    """Say whether a config is one that mmdet or mmpretrain ships."""
    shipped = [folder for p in ('mmdet', 'mmpretrain') for folder in _config_folders(p)]
    return any(os.path.abspath(path).startswith(f'{folder}/') for folder in shipped)


def fold_folder(fold: int) -> str:
    """Return the name of the folder with a fold's lists."""
    return f'fold_{fold}'


def is_fold_folder(name: str) -> bool:
    """Say whether a folder has a name of :func:`fold_folder`."""
    return bool(_FOLD.fullmatch(name))


def fold_numbers(folder: str) -> list[int]:
    """List the folds that have a folder in ``folder``, which need not exist."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(int(match[1]) for match in map(_FOLD.fullmatch, names) if match)


def _require_dict(name: str, part: Any) -> None:
    if part is not None and not isinstance(part, Mapping):
        raise ConfigError(f'{name}={part!r}: must be a dict, {name}=dict(...)')


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


def _config_folders(package: str) -> list[str]:
    """Return where a package has its configs: in its wheel, and in its repository."""
    folder = package_folder(package)
    if folder is None:
        return []
    shipped = os.path.join(folder, '.mim', 'configs')
    return [shipped, os.path.join(os.path.dirname(folder), 'configs')]
