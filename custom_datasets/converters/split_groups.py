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


def shared_groups(groups: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the groups of more than one item, with their sorted items."""
    members: dict[str, list[str]] = defaultdict(list)
    for item in sorted(groups):
        members[groups[item]].append(item)
    return {group: items for group, items in members.items() if len(items) > 1}
