"""Walking a config: loaders, data sets, dictionaries, folds."""

import os
import re
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


EVALUATORS = ('val_evaluator', 'test_evaluator')


FOLD = re.compile(r'fold_(\d+)')


def fold_folder(fold: int) -> str:
    """Return the name of the folder that a fold's lists are in."""
    return f'fold_{fold}'


def fold_numbers(folder: str) -> list[int]:
    """List the folds that have a folder in ``folder``, which may be absent."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(int(match[1]) for match in map(FOLD.fullmatch, names) if match)


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
