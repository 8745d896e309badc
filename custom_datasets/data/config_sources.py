"""The data sets that a config names, and where the files of each are.

Classes are looked up in source code, since importing mmdet takes ten seconds.
"""

import ast
import importlib
import importlib.util
import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from custom_datasets.config import LOADERS, iter_datasets
from custom_datasets.errors import ConfigError

KINDS = {
    'VOCFolderDataset': 'voc',
    'XMLDataset': 'stock-voc',
    'CocoDataset': 'coco',
    'CocoFileDataset': 'coco-by-name',
    'ClassListDataset': 'class-list',
}
"""How the data sets derived from a base class are stored. Classes of ``coco`` are
numbered as in the file, those of ``coco-by-name`` as in the config."""

COCO_KINDS = ('coco', 'coco-by-name')

STOCK_CLASSES = 'CustomDataset'
"""mmpretrain's own, of class folders."""

_PATH = (str, os.PathLike), 'path'
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(('data_root', 'ann_file', 'img_subdir', 'ann_subdir'), _PATH),
    'data_prefix': ((str, Mapping), 'path or dict of paths'),
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
        classes: In the order that numbers them.
        settings: Parameters: the config's, or else the class's defaults.
        root: ``data_root``, normalised; ``.`` where it is empty.
        ann_file: Path of the list or file of annotations.
        test_mode: Whether an image needs no annotation.
    """

    split: str
    kind: str
    type: str
    classes: tuple[str, ...]
    settings: Mapping[str, Any]
    root: str
    ann_file: str
    test_mode: bool


class SourceProblem(NamedTuple):
    """Why a data set can't be read: the part, a code of the checks, a sentence."""

    split: str
    code: str
    message: str


def find_sources(cfg: Mapping[str, Any]) -> tuple[list[Source], list[SourceProblem]]:
    """List the data sets of all loaders of a config, wrapped ones too.

    Each one that can't be read is a problem instead.
    """
    sources, problems = [], []
    modules = list((cfg.get('custom_imports') or {}).get('imports') or ())
    scope = str(cfg.get('default_scope') or 'mmdet')
    for loader in LOADERS:
        split = loader.removesuffix('_dataloader')
        for dataset in iter_datasets({loader: cfg.get(loader)}):
            wrong = _wrong_settings(dataset)
            if wrong:
                problems += [
                    SourceProblem(split, 'wrong-value', text) for text in wrong
                ]
                continue
            try:
                source = _source(split, dataset, modules, scope)
            except ConfigError as error:
                problems.append(SourceProblem(split, 'unknown-data-set', str(error)))
                continue
            if source:
                sources.append(source)
            else:
                text = (
                    f'{dataset["type"]}: its kind, or its place, cannot be checked; '
                    f'known: {", ".join(KINDS)}'
                )
                problems.append(SourceProblem(split, 'unchecked-data-set', text))
    return sources, problems


@dataclass(frozen=True)
class Declaration:
    """What the source of a data set class declares.

    Attributes:
        lineage: Names of the class and of its bases, itself first.
        defaults: Of the parameters of ``__init__`` that have a literal.
    """

    lineage: tuple[str, ...]
    metainfo: dict[str, Any]
    defaults: dict[str, Any]
    module: str


def type_name(kind: Any) -> str:
    """Return the name of a class that ``type`` in a config names or is."""
    return kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))


def read_declaration(name: str, modules: Sequence[str], scope: str) -> Declaration:
    """Find a class by the name that ``type`` has, and read what it declares.

    The config's ``custom_imports`` are searched first, then the package of the scope,
    ``mmdet`` or ``mmpretrain``. Raises a ConfigError where none defines it.
    """
    name = name.rpartition('.')[2]
    for module in chain(modules, _defining(scope, name)):
        if _class_node(module, name):
            break
    else:
        return _registered(name, modules, scope)
    lineage: list[str] = []
    defaults: dict[str, Any] = {}
    metainfo: dict[str, Any] | None = None
    for base_module, node in _with_bases(module, name):
        lineage.append(node.name)
        defaults = {**_defaults(node), **defaults}
        if metainfo is None and (value := _assigned(node, 'METAINFO')) is not None:
            metainfo = _literal(value)
            if metainfo is None:
                metainfo = getattr(_imported(base_module), node.name).METAINFO
    return Declaration(tuple(lineage), dict(metainfo or {}), defaults, module)


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
    values = {**dataset, 'metainfo.classes': classes}
    wrong = [
        f'{kind}: {name}={values[name]!r} is not a {what}'
        for name, (types, what) in _TYPES.items()
        if values.get(name) is not None and not isinstance(values[name], types)
    ]
    if not wrong:
        wrong = [
            f'{kind}: pipeline.{index}={step!r} is not a dict'
            for index, step in enumerate(dataset.get('pipeline') or ())
            if not isinstance(step, Mapping)
        ]
    return wrong


def _registered(name: str, modules: Sequence[str], scope: str) -> Declaration:
    """Import everything and ask the registry, since the source does not tell."""
    for module in modules:
        _imported(module)
    cls = _imported(f'{scope}.registry').DATASETS.get(name)
    if not hasattr(cls, '__mro__'):  # A registry gives modules, too.
        places = ', '.join([*modules, scope])
        raise ConfigError(
            f'data set type {name!r} was not found in {places}; name its module in '
            'custom_imports'
        )
    defaults = {
        parameter.name: parameter.default
        for base in reversed(cls.__mro__)
        for parameter in inspect.signature(base.__init__).parameters.values()
        if parameter.default is not parameter.empty
    }
    lineage = tuple(base.__name__ for base in cls.__mro__)
    return Declaration(lineage, dict(cls.METAINFO), defaults, cls.__module__)


def _with_bases(module: str, name: str) -> Iterator[tuple[str, ast.ClassDef]]:
    node = _class_node(module, name)
    if node is None:
        return
    yield module, node
    origins = _imports(module)
    for base in node.bases:
        if isinstance(base, ast.Name):
            base_name = base.id
            yield from _with_bases(origins.get(base_name, module), base_name)


def _class_node(module: str, name: str) -> ast.ClassDef | None:
    tree = _tree(module)
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    return None


def _imports(module: str) -> dict[str, str]:
    tree, path = _tree(module), _path(module)
    package = module if path and path.endswith('__init__.py') else _parent(module)
    origins: dict[str, str] = {}
    for node in tree.body if tree else ():
        if isinstance(node, ast.ImportFrom):
            origin = node.module or ''
            if node.level:
                parts = package.split('.')
                parts = parts[: len(parts) - node.level + 1]
                origin = '.'.join([*parts, *([origin] if origin else [])])
            for alias in node.names:
                origins[alias.asname or alias.name] = origin
    return origins


def _defaults(node: ast.ClassDef) -> dict[str, Any]:
    for child in node.body:
        if isinstance(child, ast.FunctionDef) and child.name == '__init__':
            args = child.args
            names = [arg.arg for arg in (*args.posonlyargs, *args.args)]
            pairs: list[tuple[str, ast.expr | None]] = []
            if args.defaults:
                pairs += zip(names[-len(args.defaults) :], args.defaults, strict=True)
            keywords = [arg.arg for arg in args.kwonlyargs]
            pairs += zip(keywords, args.kw_defaults, strict=True)
            values = {name: _literal(value) for name, value in pairs if value}
            return {name: value for name, value in values.items() if value is not None}
    return {}


def _assigned(node: ast.ClassDef, name: str) -> ast.expr | None:
    for child in node.body:
        if isinstance(child, ast.Assign):
            targets: list[ast.expr] = child.targets
        elif isinstance(child, ast.AnnAssign):
            targets = [child.target]
        else:
            continue
        if any(isinstance(t, ast.Name) and t.id == name for t in targets):
            return child.value
    return None


def _literal(node: ast.expr) -> Any:
    """Return a literal's value, or None; ``dict(a=1)`` counts as one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id != 'dict' or node.args:
            return None
        values = {key.arg: _literal(key.value) for key in node.keywords}
        return None if None in values or None in values.values() else values
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _defining(scope: str, name: str) -> Iterator[str]:
    root = _folder(scope)
    for folder, _, files in sorted(os.walk(os.path.join(root, 'datasets'))):
        for file in sorted(files):
            if file.endswith('.py'):
                path = os.path.join(folder, file)
                with open(path, encoding='utf-8') as source:
                    if f'class {name}(' in source.read():
                        inner = os.path.relpath(path, root)[:-3].split(os.sep)
                        yield '.'.join([scope, *inner])


@cache
def _tree(module: str) -> ast.Module | None:
    path = _path(module)
    if path is None:
        return None
    with open(path, encoding='utf-8') as file:
        return ast.parse(file.read())


def _path(module: str) -> str | None:
    """Return a module's file without importing the packages that lead to it."""
    package, *inner = module.split('.')
    root = _folder(package)
    if root and not inner:
        return os.path.join(root, '__init__.py')
    stem = os.path.join(root, *inner)
    for path in (f'{stem}.py', os.path.join(stem, '__init__.py')):
        if root and os.path.isfile(path):
            return path
    if not inner and (spec := importlib.util.find_spec(package)):
        return spec.origin
    return None


@cache
def _folder(package: str) -> str:
    spec = importlib.util.find_spec(package)
    return next(iter(spec.submodule_search_locations or ()), '') if spec else ''


def _parent(module: str) -> str:
    return module.rpartition('.')[0]


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f'{module}: {error}') from error
