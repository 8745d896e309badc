"""The data sets that a config names, and where each one's files are."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from custom_datasets.checking.declared import read_declaration, type_name
from custom_datasets.checking.finding import Finding
from custom_datasets.errors import ConfigError
from custom_datasets.overrides import LOADERS, iter_datasets

KINDS = {
    'VOCFolderDataset': 'voc',
    'XMLDataset': 'stock-voc',
    'CocoDataset': 'coco',
    'CocoFileDataset': 'coco-by-name',
    'ClassListDataset': 'class-list',
}
"""How the data sets derived from a base class are stored. Classes of ``coco`` are
numbered as the file lists them, those of ``coco-by-name`` as the config does."""

COCO_KINDS = ('coco', 'coco-by-name')

STOCK_CLASSES = 'CustomDataset'
"""mmpretrain's own, of class folders."""

_PATH = (str, os.PathLike), 'path'
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(('data_root', 'ann_file', 'img_subdir', 'ann_subdir'), _PATH),
    'data_prefix': ((str, Mapping), 'path and no dict of paths'),
    'metainfo': ((Mapping,), 'dict'),
    'metainfo.classes': ((str, list, tuple), 'list of names'),
    'pipeline': ((list, tuple), 'list of transforms'),
}


@dataclass(frozen=True)
class Source:
    """One data set of a config.

    Attributes:
        split: ``train``, ``val`` or ``test``, after its loader.
        kind: A value of :data:`KINDS`, or ``stock-classes``.
        type: The class, as the config has it.
        classes: Class names in the order that numbers them.
        settings: Parameters: the config's, or else the class's defaults.
        root: ``data_root``, normalised; ``.`` where it is empty.
        ann_file: Path of the list or file of annotations.
        test_mode: Whether an image may lack its annotation.
    """

    split: str
    kind: str
    type: str
    classes: tuple[str, ...]
    settings: Mapping[str, Any]
    root: str
    ann_file: str
    test_mode: bool


def find_sources(cfg: Mapping[str, Any]) -> tuple[list[Source], list[Finding]]:
    """List the data sets of all loaders of a config, wrapped ones too.

    Args:
        cfg: The config, after its overrides are applied.

    Returns:
        The data sets that can be read, and a finding for each other one.
    """
    sources, findings = [], []
    modules = list((cfg.get('custom_imports') or {}).get('imports') or ())
    scope = str(cfg.get('default_scope') or 'mmdet')
    for loader in LOADERS:
        split = loader.removesuffix('_dataloader')
        for dataset in iter_datasets({loader: cfg.get(loader)}):
            wrong = _wrong_settings(dataset)
            if wrong:
                findings += [_finding(split, 'wrong-value', text) for text in wrong]
                continue
            try:
                source = _source(split, dataset, modules, scope)
            except ConfigError as error:
                findings.append(_finding(split, 'unknown-data-set', str(error)))
                continue
            if source:
                sources.append(source)
            else:
                text = f'{dataset["type"]}: its kind, or its place, cannot be checked'
                known = ', '.join(KINDS)
                hint = f'its annotations and images are not looked at; known: {known}'
                findings.append(
                    _finding(split, 'unchecked-data-set', text, 'note', hint)
                )
    return sources, findings


def _source(
    split: str, dataset: Mapping[str, Any], modules: Sequence[str], scope: str
) -> Source | None:
    name = type_name(dataset.get('type'))
    declared = read_declaration(name, modules, scope)
    stored = next((KINDS[base] for base in declared.lineage if base in KINDS), None)
    if name == STOCK_CLASSES:  # Those derived from it have rules of their own.
        stored = 'stock-classes'
    if stored is None or '://' in str(dataset.get('data_root')):
        return None
    metainfo = {**declared.metainfo, **(dataset.get('metainfo') or {})}
    classes = metainfo.get('classes') or ()
    settings = {**declared.defaults, **dataset}
    root = os.path.normpath(settings.get('data_root') or '.')
    return Source(
        split=split,
        kind=stored,
        type=name,
        classes=(classes,) if isinstance(classes, str) else tuple(classes),
        settings=settings,
        root=root,
        ann_file=os.path.join(root, settings.get('ann_file') or ''),
        test_mode=bool(settings.get('test_mode')),
    )


def _wrong_settings(dataset: Mapping[str, Any]) -> list[str]:
    kind = type_name(dataset.get('type'))
    metainfo = dataset.get('metainfo')
    classes = metainfo.get('classes') if isinstance(metainfo, Mapping) else None
    given = {**dataset, 'metainfo.classes': classes}
    wrong = [
        f'{kind}: {name}={given[name]!r} is no {what}'
        for name, (types, what) in _TYPES.items()
        if given.get(name) is not None and not isinstance(given[name], types)
    ]
    if not wrong:
        wrong = [
            f'{kind}: pipeline.{index}={step!r} is no dict'
            for index, step in enumerate(dataset.get('pipeline') or ())
            if not isinstance(step, Mapping)
        ]
    return wrong


def _finding(
    split: str, code: str, message: str, severity: str = 'error', hint: str = ''
) -> Finding:
    return Finding(
        code=code, severity=severity, message=message, hint=hint, split=split
    )
