"""Three settings that reach every place of a config they concern.

A base config's variables are expanded before a leaf can change them, so that
``data_root = ...`` in a leaf would move nothing. These top-level keys work in
a leaf and behind ``--cfg-options``:

- ``data_root='/path'`` moves the train, val and test data sets.
- ``classes=[...]`` (or the path of a file with one name a line) replaces the
  class names of all data sets and the class count of every head.
- ``from_scratch=True`` starts from random weights: nothing is downloaded,
  nothing is frozen, batch norm is trained.
"""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS

from custom_datasets.class_names import read_classes

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')

_UNFROZEN = {'frozen_stages': -1, 'norm_eval': False}


def apply_overrides(cfg: Config) -> None:
    """Carry out ``data_root``, ``classes`` and ``from_scratch`` in place.

    A key that is absent or None changes nothing. Applying twice is the same
    as applying once. The model's classes are looked up in mmengine's current
    default scope.
    """
    if cfg.get('data_root') is not None:
        for dataset in iter_datasets(cfg):
            dataset['data_root'] = cfg.data_root
    if cfg.get('classes') is not None:
        _set_classes(cfg, read_classes(cfg.classes))
    if cfg.get('from_scratch'):
        _start_from_scratch(cfg.model)


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


def _set_classes(cfg: Config, classes: tuple[str, ...]) -> None:
    cfg.classes = classes
    cfg.num_classes = len(classes)
    for dataset in iter_datasets(cfg):
        given = dataset.get('metainfo') or {}
        dataset['metainfo'] = {'palette': 'random', **given, 'classes': classes}
    for part in iter_dicts(cfg.model):
        if 'num_classes' in part:
            part['num_classes'] = len(classes)


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
        for key, value in _UNFROZEN.items():
            if key in part or key in _defaults(part):
                part[key] = value
        norm_cfg = part.get('norm_cfg')
        if isinstance(norm_cfg, dict) and 'requires_grad' in norm_cfg:
            norm_cfg['requires_grad'] = True


def _defaults(part: dict[str, Any]) -> tuple[str, ...]:
    """Return the parameters of the registered class that ``part`` builds."""
    kind = part.get('type')
    with MODELS.switch_scope_and_registry(None) as registry:
        cls = registry.get(kind) if isinstance(kind, str) else kind
    code = getattr(getattr(cls, '__init__', None), '__code__', None)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else ()
