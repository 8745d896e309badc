"""Configs as flat settings, and their differences."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ABSENT = '-'
_WIDEST = 60

Settings = dict[str, str]
"""Each setting, written as text, by its dotted name."""


class Differences(NamedTuple):
    """Each setting that differs, as text in each config, and how many are equal.

    A setting that a config does not have is :data:`ABSENT` there.
    """

    rows: dict[str, tuple[str, ...]]
    equal: int


def flatten(tree: Any, name: str = '') -> Settings:
    """Write every leaf of a tree of dictionaries and lists under a dotted name.

    A list without dictionaries or lists in it is a leaf.
    """
    if isinstance(tree, Mapping) and tree:
        branches = [(str(key), value) for key, value in tree.items()]
    elif _is_branching(tree):
        branches = [(str(index), value) for index, value in enumerate(tree)]
    else:
        return {name: _text(tree)}
    settings: Settings = {}
    for key, value in branches:
        settings.update(flatten(value, _join(name, key)))
    return settings


def differences(configs: Sequence[Mapping[str, Any]]) -> Differences:
    """Find the settings in which configs differ.

    Lists of steps are compared step by step where they have the same types, and
    otherwise as a whole, so that an additional step does not move all others.
    """
    rows: dict[str, tuple[str, ...]] = {}
    equal = _compare('', list(configs), rows) if configs else 0
    return Differences(rows, equal)


class _Absent:
    """Takes the place of a setting that a config does not have."""


_ABSENT = _Absent()


def _compare(name: str, nodes: list[Any], rows: dict[str, tuple[str, ...]]) -> int:
    """Add what differs to ``rows``; return how many settings are equal."""
    if all(isinstance(node, Mapping) for node in nodes):
        keys = dict.fromkeys(str(key) for node in nodes for key in node)
        branches = {key: [node.get(key, _ABSENT) for node in nodes] for key in keys}
    elif all(map(_is_branching, nodes)) and len(set(map(_types, nodes))) == 1:
        steps = zip(*nodes, strict=True)
        branches = {str(index): list(step) for index, step in enumerate(steps)}
    else:
        branches = {}
    if branches:
        return sum(
            _compare(_join(name, key), values, rows) for key, values in branches.items()
        )
    settings = [None if node is _ABSENT else flatten(node) for node in nodes]
    if all(other == settings[0] for other in settings):
        return len(settings[0] or ())
    rows[name] = tuple(ABSENT if node is _ABSENT else _short(node) for node in nodes)
    return 0


def _join(name: str, key: str) -> str:
    return f'{name}.{key}' if name else key


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
