"""Checks of a config by itself: names, paths, classes, batch norm, evaluators."""

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from custom_datasets.checkpoints import checkpoint_classes
from custom_datasets.checks.codes import find
from custom_datasets.config import iter_dicts
from custom_datasets.data.advice import match_advice, read_advice, spare_entries
from custom_datasets.data.coco import read_coco_file
from custom_datasets.data.config_sources import COCO_KINDS, Source, read_declaration
from custom_datasets.data.names import nearest_class
from custom_datasets.data.problems import Finding, refused
from custom_datasets.errors import UserError
from custom_datasets.settings import SETTINGS, training_problems
from custom_datasets.settings.training import asks_from_scratch
from custom_datasets.text import counted

_BY_PLUGIN = tuple(setting.name for setting in SETTINGS)
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
"""Where the settings take effect that are often set at the top."""

_HEADS = ('bbox_head', 'mask_head', 'head', 'cls_head')
_BATCH_NORMED = ('DenseNet', 'EfficientNet', 'MobileNet', 'RegNet', 'Res', 'ShuffleNet')


def check_overrides(
    config: str, options: Mapping[str, Any], cfg: Mapping[str, Any]
) -> list[Finding]:
    """Find settings that change nothing, in the leaf or on the command line.

    A base's variables (``train_pipeline``, ``max_epochs``) are expanded before a leaf
    is read, so setting one again reaches nothing but the variable.
    """
    read = set(_READ)
    if cfg.get('runner_type') == 'PluginRunner':
        read |= set(_BY_PLUGIN)
    places = _unused_names(config) if config.endswith('.py') else {}
    places |= {option.split('.')[0]: '--cfg-options' for option in options}
    return [
        find(
            'no-effect',
            f'{name} is set in {where}, but nothing reads it there',
            hint=_hint(name, sorted(read)),
            file=config,
        )
        for name, where in places.items()
        if name not in read and not name.startswith('_')
    ]


def check_settings(cfg: Config) -> list[Finding]:
    """Find values of this package's settings on training that can't be carried out."""
    if cfg.get('runner_type') != 'PluginRunner':
        return []
    return [
        find('wrong-value', text, case='a setting of this package')
        for text in training_problems(cfg)
    ]


def check_paths(sources: Sequence[Source]) -> list[Finding]:
    """Find folders that a data set names and that do not exist."""
    folders: dict[str, list[str]] = {}
    for source in sources:
        for folder in _folders(source):
            folders.setdefault(folder, []).append(source.split)
    return [
        find(
            'no-folder',
            'the folder does not exist',
            split=splits[0] if len(splits) == 1 else None,
            file=folder,
        )
        for folder, splits in folders.items()
        if not os.path.isdir(folder)
    ]


def check_load_from(cfg: Mapping[str, Any], classes: Sequence[str]) -> list[Finding]:
    """Find a ``load_from`` that does not exist or has other classes.

    Only a file is looked into; a URL is not fetched, and nothing of a
    checkpoint is executed.
    """
    path = cfg.get('load_from')
    if not isinstance(path, str) or '://' in path or asks_from_scratch(cfg):
        return []
    if not os.path.isfile(path):
        return [find('no-checkpoint', 'load_from: the file does not exist', file=path)]
    names = checkpoint_classes(path)
    if not names or names == tuple(classes):
        return []
    if len(names) != len(classes):
        ours = counted(len(names), 'classes')
        text = f'load_from has {ours}, the data set {len(classes)}'
        case = 'another number of classes'
        return [find('checkpoint-classes', text, case=case, file=path)]
    text = (
        f'load_from has the classes {list(names)}, the data set {list(classes)}: as '
        'many, so its last layer is kept for other classes'
    )
    return [find('checkpoint-classes', text, file=path)]


def _hint(name: str, read: Sequence[str]) -> str:
    if name in _BY_PLUGIN:
        return "add runner_type='PluginRunner', which carries it out"
    if name in _PLACES:
        return f'a base has its own value where it counts: set {_PLACES[name]}'
    nearest = nearest_class(name, read)
    if nearest:
        return f'did you mean {nearest!r}?'
    return 'set the entry that should use it: a base may have its own value there'


def _folders(source: Source) -> list[str]:
    """Return a data set's folders; if its root is missing, only the root."""
    kinds = ('voc', 'stock-voc', *COCO_KINDS)
    if source.kind not in kinds or not os.path.isdir(source.root):
        return [source.root]
    prefix = source.settings.get('data_prefix') or {}
    if source.kind in COCO_KINDS:
        return [os.path.join(source.root, prefix.get('img') or '')]
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


def check_heads(cfg: Mapping[str, Any], sources: Sequence[Source]) -> list[Finding]:
    """Compare ``num_classes`` of each head with the data sets' classes.

    Region proposal heads only tell objects from background and are left out; a
    generator has no head, and the count itself.
    """
    classes = _classes(sources)
    if not classes:
        return []
    findings = []
    parts = {name: cfg.get(name) or {} for name in ('model', 'data_preprocessor')}
    for path, part in _walk(parts, ''):
        counted = 'data_preprocessor' in path or 'head' in path or path == 'model'
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
        findings.append(find('class-count', text))
    return findings


def check_classes_agree(sources: Sequence[Source]) -> list[Finding]:
    """Find parts whose class names, or their order, are not the training set's."""
    classes = _classes(sources)
    return [
        find(
            'classes-differ',
            f'classes are {list(source.classes)}, but training has {list(classes)}',
            split=source.split,
        )
        for source in sources
        if source.classes != classes
    ]


def check_advice(cfg: Mapping[str, Any], sources: Sequence[Source]) -> list[Finding]:
    """Find classes without advice where the config names a file of it, and the reverse.

    A file may have more than ``classes=`` leaves: all that the data set declares.
    """
    if cfg.get('advice') is None:
        return []
    path, classes = os.path.normpath(cfg['advice']), _classes(sources)
    try:
        advice = read_advice(path)
    except UserError as error:
        text = str(error).removeprefix(f'{path}: ')
        return [find('broken-advice', text, file=path)]
    if not classes:
        return []
    spare = spare_entries(advice, [*classes, *_declared(cfg, sources[0])])
    findings = []
    for name in classes:
        if name not in match_advice(advice, [name]):
            nearest = nearest_class(name, spare)
            hint = f'; is it {nearest!r} there?' if nearest else ''
            text = f'there is no advice on {name}{hint}'
            findings.append(find('class-without-advice', text, file=path))
    if spare:
        text = f'not classes here: {", ".join(spare)}'
        findings.append(find('advice-without-class', text, file=path))
    return findings


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
            text = f'{path} trains batch norm ({kind}) with one image per batch'
            findings.append(find('batch-norm-of-one', text))
    return findings


def check_evaluators(
    cfg: Mapping[str, Any], sources: Sequence[Source]
) -> list[Finding]:
    """Find evaluators that measure other classes than the data set's."""
    findings = []
    for split in ('val', 'test'):
        classes = next((s.classes for s in sources if s.split == split), ())
        for evaluator in iter_dicts(cfg.get(f'{split}_evaluator')):
            for problem in _evaluator_problems(evaluator, classes):
                text = f'{split}_evaluator {evaluator.get("type")}: {problem}'
                findings.append(find('evaluator-classes', text, split=split))
    return findings


def _has_batch_norm(backbone: Mapping[str, Any]) -> bool:
    """Tell whether a backbone of mmpretrain has it where its config does not say."""
    return str(backbone.get('type')).startswith(_BATCH_NORMED)


def _evaluator_problems(
    evaluator: Mapping[str, Any], classes: Sequence[str]
) -> Iterator[str]:
    if not classes:
        return
    topk = evaluator.get('topk') or ()
    counts = topk if isinstance(topk, (list, tuple)) else [topk]
    if not all(isinstance(count, int) for count in counts):
        yield f'topk={topk!r} is neither a number nor a list of numbers'
        return
    if max(counts, default=0) > len(classes):
        yield f'top-{max(counts)} of {counted(len(classes), "classes")}'
    count = evaluator.get('num_classes')
    if isinstance(count, int) and count != len(classes):
        yield f'num_classes={count}, but the data set has {len(classes)}'
    path = evaluator.get('ann_file')
    if isinstance(path, str):
        try:
            coco, problems = read_coco_file(path)
        except UserError as error:
            yield str(error)
            return
        yield from map(str, refused(problems))
        names = {name for _, name in coco.categories}
        missing = [name for name in classes if name not in names]
        if missing:
            yield f'{path} has no category {", ".join(missing)}'


def _walk(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
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


def _declared(cfg: Mapping[str, Any], source: Source) -> list[str]:
    modules = (cfg.get('custom_imports') or {}).get('imports') or ()
    declared = read_declaration(source.type, modules, _scope(cfg))
    return list(declared.metainfo.get('classes') or ())


def _scope(cfg: Mapping[str, Any]) -> str:
    return str(cfg.get('default_scope'))
