"""Which images must stay in one part: joining what says so."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from custom_datasets.errors import UserError


def match_sources(names: Iterable[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Return what each image was made of, as its name says.

    Args:
        names: As the lists have them; those that the pattern does not fit are
            left out.
        pattern: Its first group is the source's name.

    Raises:
        UserError: The pattern fits no name.
    """
    names = list(names)
    matches = {name: pattern.search(name) for name in names}
    sources = {name: match[1] for name, match in matches.items() if match and match[1]}
    if not sources:
        example = names[0] if names else 'none'
        raise UserError(
            f'--group-by {pattern.pattern}: fits no name, such as {example}'
        )
    return sources


def too_few(
    labels: Mapping[str, Mapping[str, int]], groups: Mapping[str, str], parts: int
) -> tuple[set[str], dict[str, int]]:
    """Find the images of classes that can't be in every part.

    Args:
        labels: For each image the number of boxes of each class.
        groups: The group of each image; one that is absent is its own.
        parts: How many there are.

    Returns:
        All images of the groups that have such a class in them, and for each of
        the classes in how many groups it is. What is left has every other class
        in as many groups as there are parts.
    """
    taken: set[str] = set()
    short: dict[str, int] = {}
    while True:
        spread: dict[str, set[str]] = defaultdict(set)
        for item in labels.keys() - taken:
            for name, count in labels[item].items():
                if count:
                    spread[name].add(groups.get(item, item))
        few = {name: len(found) for name, found in spread.items() if len(found) < parts}
        if not few:
            return taken, dict(sorted(short.items()))
        short.update(few)
        held = set().union(*(spread[name] for name in few))
        taken |= {item for item in labels if groups.get(item, item) in held}


def shared_groups(groups: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the groups of more than one item, with their sorted items."""
    members: dict[str, list[str]] = defaultdict(list)
    for item in sorted(groups):
        members[groups[item]].append(item)
    return {group: items for group, items in members.items() if len(items) > 1}
