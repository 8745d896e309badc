"""Joining what belongs together."""

from collections.abc import Hashable, Mapping


def merge_groups(*groupings: Mapping[str, Hashable]) -> dict[str, str]:
    """Join groupings: items that share a key in any of them are one group.

    Returns:
        For each item its group's first item in alphabetical order.
    """
    parent: dict[str, str] = {}

    def root(item: str) -> str:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for grouping in groupings:
        first: dict[Hashable, str] = {}
        for item, key in sorted(grouping.items(), key=lambda pair: pair[0]):
            parent.setdefault(item, item)
            one, other = sorted((root(first.setdefault(key, item)), root(item)))
            parent[other] = one
    return {item: root(item) for item in parent}
