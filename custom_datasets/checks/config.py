"""Checks of what a config names that is not there, or that nothing reads."""

import ast
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from custom_datasets.checkpoints import checkpoint_classes
from custom_datasets.config import iter_dicts
from custom_datasets.data.config_sources import Source
from custom_datasets.data.names import nearest_class
from custom_datasets.data.problems import Finding
from custom_datasets.settings import SETTINGS, asks_from_scratch

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


_HEADS = ('bbox_head', 'mask_head', 'head', 'cls_head')
_BATCH_NORMED = ('DenseNet', 'EfficientNet', 'MobileNet', 'RegNet', 'Res', 'ShuffleNet')


def check_heads(cfg: Mapping[str, Any], sources: Sequence[Source]) -> list[Finding]:
    """Compare ``num_classes`` of each head with the data sets' classes.

    Region proposal heads, which tell objects from background only, are left
    out.
    """
    classes = _classes(sources)
    if not classes:
        return []
    findings = []
    parts = {name: cfg.get(name) or {} for name in ('model', 'data_preprocessor')}
    for path, part in _walk(parts, ''):
        counted = 'data_preprocessor' in path or 'head' in path
        if not counted or 'rpn_head' in path:
            continue
        count = part.get('num_classes')
        if isinstance(count, (int, str)) and count != len(classes):
            text = (
                f'{path} has num_classes={count!r}, but the data set has '
                f'{len(classes)}: {", ".join(classes)}'
            )
        elif count is None and path.rpartition('.')[2] in _HEADS and 'type' in part:
            text = f'{path} states no num_classes; its default is not {len(classes)}'
            if part['type'] not in ('BBoxHead', 'Shared2FCBBoxHead', 'FCNMaskHead'):
                continue
        else:
            continue
        hint = 'write num_classes=_base_.num_classes, or set classes=[...] for both'
        findings.append(
            Finding(code='class-count', severity='error', message=text, hint=hint)
        )
    return findings


def check_classes_agree(sources: Sequence[Source]) -> list[Finding]:
    """Find parts whose class names, or their order, are not the training set's."""
    classes = _classes(sources)
    return [
        Finding(
            code='classes-differ',
            severity='error',
            message=f'classes are {list(source.classes)}, but training has '
            f'{list(classes)}',
            hint='labels are numbers: names and order must be the same everywhere; '
            'set classes=[...] once',
            split=source.split,
        )
        for source in sources
        if source.classes != classes
    ]


def check_batch_norm(cfg: Mapping[str, Any]) -> list[Finding]:
    """Find batch norm that is trained on one image at a time."""
    if (cfg.get('train_dataloader') or {}).get('batch_size') != 1:
        return []
    findings = []
    for path, part in _walk({'model': cfg.get('model') or {}}, ''):
        norm = part.get('norm_cfg')
        if norm is None and path == 'model.backbone' and 'pretrain' in _scope(cfg):
            norm = {'type': 'BN'} if _has_batch_norm(part) else None
        kind = str((norm or {}).get('type', ''))
        trained = (norm or {}).get('requires_grad', True) and not part.get('norm_eval')
        if trained and kind in ('BN', 'BN1d', 'BN2d'):
            findings.append(
                Finding(
                    code='batch-norm-of-one',
                    severity='warning',
                    message=f'{path} trains batch norm ({kind}) with one image a batch',
                    hint='raise train_dataloader.batch_size, or use norm_eval=True or '
                    "norm_cfg=dict(type='GN', num_groups=32)",
                )
            )
    return findings


def check_evaluators(
    cfg: Mapping[str, Any], sources: Sequence[Source]
) -> list[Finding]:
    """Find evaluators that measure other classes than the data set's."""
    findings = []
    for split in ('val', 'test'):
        classes = next((s.classes for s in sources if s.split == split), ())
        for evaluator in iter_dicts(cfg.get(f'{split}_evaluator')):
            for text, hint in _evaluator_problems(evaluator, classes):
                findings.append(
                    Finding(
                        code='evaluator-classes',
                        severity='error',
                        message=f'{split}_evaluator {evaluator.get("type")}: {text}',
                        hint=hint,
                        split=split,
                    )
                )
    return findings


def _has_batch_norm(backbone: Mapping[str, Any]) -> bool:
    """Tell whether a backbone of mmpretrain has it where its config does not say."""
    return str(backbone.get('type')).startswith(_BATCH_NORMED)


def _evaluator_problems(
    evaluator: Mapping[str, Any], classes: Sequence[str]
) -> Iterator[tuple[str, str]]:
    if not classes:
        return
    topk = evaluator.get('topk') or ()
    counts = topk if isinstance(topk, (list, tuple)) else [topk]
    odd = [count for count in counts if not isinstance(count, int)]
    if odd:
        yield f'topk={topk!r} is no number, nor a list of them', 'set topk=1'
        return
    most = max(counts, default=0)
    if most > len(classes):
        yield f'top-{most} of {len(classes)} classes', 'set topk=1'
    count = evaluator.get('num_classes')
    if isinstance(count, int) and count != len(classes):
        yield (
            f'num_classes={count}, but the data set has {len(classes)}',
            "set it to the data set's, or leave it out",
        )
    path = evaluator.get('ann_file')
    if isinstance(path, str):
        try:
            with open(path, encoding='utf-8-sig') as file:
                names = {str(item['name']) for item in json.load(file)['categories']}
        except (OSError, ValueError, KeyError, TypeError) as error:
            yield f'{path} cannot be read ({error})', 'name the file of this split'
            return
        lacking = [name for name in classes if name not in names]
        if lacking:
            yield (
                f'{path} has no category {", ".join(lacking)}',
                'name the file of this data set, or none: CocoMetric then takes the '
                "data set's own boxes",
            )


def _walk(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every dictionary below with its dotted path."""
    for key, value in node.items():
        name = f'{path}.{key}' if path else str(key)
        children = [(name, value)]
        if isinstance(value, (list, tuple)):
            children = [(f'{name}.{i}', child) for i, child in enumerate(value)]
        for child_path, child in children:
            if isinstance(child, dict):
                yield child_path, child
                yield from _walk(child, child_path)


def _classes(sources: Sequence[Source]) -> tuple[str, ...]:
    return next((source.classes for source in sources), ())


def _scope(cfg: Mapping[str, Any]) -> str:
    return str(cfg.get('default_scope'))
