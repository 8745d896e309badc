"""Configs as flat settings, and what differs between several."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ABSENT = '-'
_WIDEST = 60

Settings = dict[str, str]
"""Each setting, written as text, by its dotted name."""


class Differences(NamedTuple):
    """What differs between configs.

    Attributes:
        rows: For each setting that differs, its text in each config;
            :data:`ABSENT` where a config has none.
        equal: How many settings are the same in all.
    """

    rows: dict[str, tuple[str, ...]]
    equal: int


def flatten(tree: Any, name: str = '') -> Settings:
    """Write every leaf of a tree of dictionaries and lists under a dotted name.

    A list without dictionaries is a leaf.
    """
    if isinstance(tree, Mapping) and tree:
        items = [(str(key), value) for key, value in tree.items()]
    elif _is_branching(tree):
        items = [(str(index), value) for index, value in enumerate(tree)]
    else:
        return {name: _text(tree)}
    found: Settings = {}
    for key, value in items:
        found.update(flatten(value, f'{name}.{key}' if name else key))
    return found


def differences(configs: Sequence[Mapping[str, Any]]) -> Differences:
    """Find the settings in which configs differ.

    Lists of steps are compared step by step where they have the same types,
    and otherwise as a whole, so that one more step does not move all others.
    """
    rows: dict[str, tuple[str, ...]] = {}
    if not configs:
        return Differences(rows, 0)
    equal = _compare('', list(configs), rows)
    return Differences(rows, equal)


class _Absent:
    """Stands where a config has no such setting."""


_ABSENT = _Absent()


def _compare(name: str, nodes: list[Any], rows: dict[str, tuple[str, ...]]) -> int:
    """Add what differs to ``rows``; return how many settings are equal."""
    if all(isinstance(node, Mapping) for node in nodes):
        keys = list(dict.fromkeys(str(key) for node in nodes for key in node))
        children = {key: [node.get(key, _ABSENT) for node in nodes] for key in keys}
    elif all(map(_is_branching, nodes)) and len(set(map(_types, nodes))) == 1:
        columns = zip(*nodes, strict=True)
        children = {str(index): list(each) for index, each in enumerate(columns)}
    else:
        children = {}
    if children:
        return sum(
            _compare(f'{name}.{key}' if name else key, each, rows)
            for key, each in children.items()
        )
    written = [None if node is _ABSENT else flatten(node) for node in nodes]
    if all(each == written[0] for each in written):
        return len(written[0] or ())
    rows[name] = tuple(ABSENT if node is _ABSENT else _short(node) for node in nodes)
    return 0


def _is_branching(node: Any) -> bool:
    return isinstance(node, (list, tuple)) and any(
        isinstance(item, (Mapping, list, tuple)) for item in node
    )


def _types(steps: Sequence[Any]) -> tuple[str, ...]:
    return tuple(
        _text(step.get('type')) if isinstance(step, Mapping) else type(step).__name__
        for step in steps
    )


def _short(node: Any) -> str:
    """Write a setting; of a whole part only the types in it."""
    if isinstance(node, Mapping):
        text = _text(node['type']) if 'type' in node else ', '.join(map(str, node))
    elif _is_branching(node):
        text = ' > '.join(_types(node))
    else:
        text = _text(node)
    return text if len(text) <= _WIDEST else f'{text[: _WIDEST - 3]}...'


def _text(value: Any) -> str:
    """Write a value; a class or a function by its name, not by its address."""
    if isinstance(value, (list, tuple)):
        return f'[{", ".join(map(_text, value))}]'
    if callable(value):
        return f'{value.__module__}.{value.__qualname__}'
    return str(value)
