"""Checks of a config's model and evaluators against its data sets."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from custom_datasets.checking.finding import Finding
from custom_datasets.checking.sources import Source
from custom_datasets.overrides import iter_dicts

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
