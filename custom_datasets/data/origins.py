"""Where images come from, as a list beside them says.

``sources.txt`` lies in the folder of a data set: on each line the path of an image, or
of a folder of images, relative to the list's own folder; a tab; and the source's name.
Lists of images, annotations and configs need not know of it.
"""

import os
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache

from custom_datasets.data.names import read_lines
from custom_datasets.errors import AnnotationError, UserError

FILE = 'sources.txt'

MOST_LEVELS = 5
"""How many folders above an image are looked into: those of a data set."""


def find_sources(paths: Sequence[str]) -> list[str | None]:
    """Return the source of each image; None where no list names one.

    The nearest list above an image counts. Where none is above the path as given, the
    path that its links lead to is tried.
    """

    @cache
    def read(folder: str) -> dict[str, str] | None:
        path = os.path.join(folder, FILE)
        return read_sources(path) if os.path.isfile(path) else None

    def find(path: str) -> str | None:
        for start in (os.path.abspath(path), os.path.realpath(path)):
            folder, inside = os.path.split(start)
            for _ in range(MOST_LEVELS):
                sources = read(folder)
                if sources is not None:
                    return _longest(sources, inside)
                folder, name = os.path.split(folder)
                inside = f'{name}/{inside}'
        return None

    return [find(path) for path in paths]


def read_sources(path: str) -> dict[str, str]:
    """Return the source of each image or folder that a list names.

    Raises an AnnotationError with every line that has no tab, path or source, and every
    path that has two sources.
    """
    sources: dict[str, str] = {}
    problems = []
    for number, line in read_lines(path):
        name, _, source = (part.strip() for part in line.rpartition('\t'))
        name = os.path.normpath(name.replace('\\', '/')) if name else ''
        if not (name and source):
            problems.append(f'line {number}: no tab and source after the path')
        elif sources.setdefault(name, source) != source:
            problems.append(f'line {number}: {name} is of {sources[name]} already')
    if problems:
        raise AnnotationError(path, problems)
    return sources


def render_sources(sources: dict[str, str]) -> str:
    """Return the content of a list of sources."""
    return ''.join(f'{path}\t{name}\n' for path, name in sorted(sources.items()))


def _longest(sources: dict[str, str], inside: str) -> str | None:
    """Return the source of an image, else that of the nearest folder around it."""
    while inside and inside not in sources:
        inside = inside.rpartition('/')[0]
    return sources.get(inside or '.')


def merge_groups(*groupings: Mapping[str, Hashable]) -> dict[str, str]:
    """Join groupings: items that share a key in any of them are one group.

    Returns for each item its group's first item in alphabetical order.
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


def match_sources(names: Iterable[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Return the first group of a pattern in each name that matches; one must."""
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

    Returns all images of the groups that hold such a class, and for each of these
    classes in how many groups it is. Every other class is still in as many groups as
    there are parts. An image that is absent from ``groups`` is its own.
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
