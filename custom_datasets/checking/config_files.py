"""Checks of what a config names that is not there, or that nothing reads."""

import ast
import os
from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.checking.checkpoint import checkpoint_classes
from custom_datasets.checking.finding import Finding
from custom_datasets.checking.sources import Source
from custom_datasets.class_names import nearest_class
from custom_datasets.overrides import SETTINGS, asks_from_scratch

_BY_PLUGIN = (*SETTINGS, 'track')
# What mmengine's Runner.from_cfg and the stock scripts read (mmengine 0.10).
_READ = frozenset(
    """
    activation_checkpointing auto_scale_lr compile custom_hooks custom_imports
    data_preprocessor default_hooks default_scope efficient_conv_bn_eval env_cfg
    experiment_name find_unused_parameters launcher load_from log_level log_processor
    model model_wrapper_cfg optim_wrapper param_scheduler randomness resume
    runner_type sync_bn test_cfg test_dataloader test_evaluator train_cfg
    train_dataloader tta_model tta_pipeline val_cfg val_dataloader val_evaluator
    vis_backends visualizer work_dir
    """.split()
)

_PLACES = {
    'lr': 'optim_wrapper.optimizer.lr',
    'base_lr': 'optim_wrapper.optimizer.lr',
    'learning_rate': 'optim_wrapper.optimizer.lr',
    'optimizer': 'optim_wrapper.optimizer',
    'max_epochs': 'train_cfg.max_epochs',
    'epochs': 'train_cfg.max_epochs',
    'max_iters': 'train_cfg.max_iters',
    'val_interval': 'train_cfg.val_interval',
    'batch_size': 'train_dataloader.batch_size',
    'num_workers': 'train_dataloader.num_workers',
    'train_pipeline': 'train_dataloader.dataset.pipeline',
    'val_pipeline': 'val_dataloader.dataset.pipeline',
    'test_pipeline': 'test_dataloader.dataset.pipeline',
    'num_classes': 'classes=[...], which also sets the count of every head',
}
"""Where what is often set at the top has its effect."""


def check_overrides(
    config: str, options: Mapping[str, Any], cfg: Mapping[str, Any]
) -> list[Finding]:
    """Find settings that change nothing.

    A base's variables (``train_pipeline``, ``max_epochs``) are expanded before
    a leaf is read, so setting one again in a leaf, or on the command line,
    reaches nothing but the variable.

    Args:
        config: Path of the leaf.
        options: What ``--cfg-options`` sets, by dotted name.
        cfg: The config.
    """
    read = set(_READ)
    if cfg.get('runner_type') == 'PluginRunner':
        read |= set(_BY_PLUGIN)
    names = {} if not config.endswith('.py') else _unused_names(config)
    names |= {option.split('.')[0]: '--cfg-options' for option in options}
    findings = []
    for name, where in names.items():
        if name in read or name.startswith('_'):
            continue
        findings.append(
            Finding(
                code='no-effect',
                severity='warning',
                message=f'{name} is set in {where}, but nothing reads it there',
                hint=_hint(name, sorted(read)),
                file=config,
            )
        )
    return findings


def check_paths(sources: Sequence[Source]) -> list[Finding]:
    """Find folders that a data set names and that are not there."""
    folders: dict[str, list[str]] = {}
    for source in sources:
        for folder in _folders(source):
            folders.setdefault(folder, []).append(source.split)
    return [
        Finding(
            code='no-folder',
            severity='error',
            message='no such folder',
            hint='set data_root: --cfg-options data_root=DIR, or a line in the leaf',
            split=splits[0] if len(splits) == 1 else None,
            file=folder,
        )
        for folder, splits in folders.items()
        if not os.path.isdir(folder)
    ]


def check_load_from(cfg: Mapping[str, Any], classes: Sequence[str]) -> list[Finding]:
    """Find a ``load_from`` that is absent or knows other classes.

    Only a file is looked into; an address is not fetched, and nothing of a
    checkpoint is executed.
    """
    path, from_scratch = cfg.get('load_from'), asks_from_scratch(cfg)
    if not isinstance(path, str) or '://' in path or from_scratch:
        return []

    def finding(code: str, severity: str, message: str, hint: str) -> list[Finding]:
        return [
            Finding(code=code, severity=severity, message=message, hint=hint, file=path)
        ]

    if not os.path.isfile(path):
        hint = 'correct the path, or take load_from out to start without it'
        return finding('no-checkpoint', 'error', 'load_from: no such file', hint)
    known = checkpoint_classes(path)
    if not known or known == tuple(classes):
        return []
    if len(known) != len(classes):
        return finding(
            'checkpoint-classes',
            'note',
            f'load_from knows {len(known)} classes, the data set has {len(classes)}',
            'its last layer starts anew, which is usual when fine-tuning',
        )
    return finding(
        'checkpoint-classes',
        'warning',
        f'load_from knows {list(known)}, the data set {list(classes)}: as many, so '
        'its last layer is taken over for other classes',
        'the same classes in another order? then set classes=[...] to its order',
    )


def _hint(name: str, read: Sequence[str]) -> str:
    if name in _BY_PLUGIN:
        return "add runner_type='PluginRunner', which carries it out"
    if name in _PLACES:
        return f'a base has its own value where it counts: set {_PLACES[name]}'
    nearest = nearest_class(name, read)
    if nearest:
        return f'did you mean {nearest!r}?'
    return 'set the entry that is to use it: a base may have its own value there'


def _folders(source: Source) -> list[str]:
    """Return a data set's folders; of an absent root only that."""
    if source.kind not in ('voc', 'stock-voc') or not os.path.isdir(source.root):
        return [source.root]
    prefix = source.settings.get('data_prefix') or {}
    root = os.path.join(source.root, prefix.get('sub_data_root') or '')
    return [
        os.path.join(root, source.settings[k]) for k in ('img_subdir', 'ann_subdir')
    ]


def _unused_names(config: str) -> dict[str, str]:
    """Return the variables that a file sets and does not use, with their line."""
    with open(config, encoding='utf-8') as file:
        tree = ast.parse(file.read())
    used = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return {
        target.id: f'line {node.lineno}'
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id not in used
    }
