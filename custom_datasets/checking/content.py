"""Which images belong together: by their content, and by their names."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from custom_datasets.checking.image_facts import ImageFacts
from custom_datasets.checking.likeness import find_alike
from custom_datasets.grouping import merge_groups
from custom_datasets.records import ImageRecord

MOST_ALIKE = 20
"""Larger groups of pictures that are alike are so by nature: a fixed camera, one
product at one place. These are told, but not kept together."""

_PAIRS_AN_IMAGE = 20
_ROBOFLOW = re.compile(r'(?P<source>.+)\.rf\.[0-9A-Za-z]{16,}')
_PIECE = re.compile(
    r'(?P<source>.*\d)[-_. ]'
    r'(?:(?:aug|bbox|box|copy|crop|det|obj|object|patch|roi|slice|tile)[-_]?)?'
    r'\d{1,2}',
    re.IGNORECASE,
)


class AlikeGroup(NamedTuple):
    """Pictures that show the same.

    Attributes:
        paths: One file of each picture, in the order of the facts.
        mirrored: Whether some show it left to right.
    """

    paths: tuple[str, ...]
    mirrored: bool


def identical_groups(facts: Mapping[str, ImageFacts]) -> list[tuple[str, ...]]:
    """Group files whose decoded pixels are equal; each is in at most one group."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path, known in facts.items():
        if known.pixels:
            groups[known.pixels].append(path)
    return [tuple(paths) for paths in groups.values() if len(paths) > 1]


def alike_groups(facts: Mapping[str, ImageFacts]) -> list[AlikeGroup]:
    """Group pictures that show the same: recompressed, resized, shot twice.

    Files with equal pixels count as one picture, the first of them. A group
    may be a chain, whose ends are less alike than neighbours.
    """
    firsts: dict[str, str] = {}
    for path, known in facts.items():
        if known.pixels and known.decodes == 'whole':
            firsts.setdefault(known.pixels, path)
    paths = list(firsts.values())
    pairs = find_alike([facts[path] for path in paths])
    mirrored = set()
    links: list[dict[str, int]] = []
    for first, second, is_mirrored in islice(pairs, _PAIRS_AN_IMAGE * len(paths)):
        links.append(dict.fromkeys((paths[first], paths[second]), len(links)))
        if is_mirrored:
            mirrored |= set(links[-1])
    joined = merge_groups(*links)
    members: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        if path in joined:
            members[joined[path]].append(path)
    return [
        AlikeGroup(tuple(group), not mirrored.isdisjoint(group))
        for group in members.values()
    ]


def content_groups(facts: Mapping[str, ImageFacts]) -> dict[str, str]:
    """Group files that must not be parted by a split, because of their content.

    Returns:
        For each path the first path, in alphabetical order, of its group: of
        files with identical pixels, and of pictures that show the same where
        these are no more than :data:`MOST_ALIKE`. A file that is like none is
        its own group.
    """
    ordered = {path: facts[path] for path in sorted(facts)}
    alike = {
        path: group.paths[0]
        for group in alike_groups(ordered)
        if len(group.paths) <= MOST_ALIKE
        for path in group.paths
    }
    pixels = {path: known.pixels or path for path, known in ordered.items()}
    return merge_groups(pixels, alike)


def source_groups(images: Iterable[ImageRecord]) -> list[tuple[str, list[str]]]:
    """Group files that come from one picture, as far as their names say so.

    Known are Roboflow's exports, ``<picture>.rf.<hash>``, and pieces that are
    counted behind the name of a picture, which ends in a digit:
    ``<picture>_<n>``, as :mod:`custom_datasets.converters.metal_surface`
    writes them, and ``<picture>_crop<n>``. A picture with more than
    :data:`MOST_ALIKE` pieces is taken for a series of its own.

    Returns:
        Names of pictures, and the paths of two or more images each.
    """
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    pieces: dict[str, list[str]] = defaultdict(list)
    for path, label in {image.image: image.label for image in images}.items():
        stem = os.path.splitext(os.path.basename(path or ''))[0]
        if match := _ROBOFLOW.fullmatch(stem):
            # Class folders number their files anew, each for itself.
            groups[match['source'], label or ''].append(path or '')
        elif match := _PIECE.fullmatch(stem):
            pieces[match['source']].append(path or '')
    for source, paths in pieces.items():
        if len(paths) <= MOST_ALIKE:
            groups[source, ''] += paths
    return [(source, paths) for (source, _), paths in groups.items() if len(paths) > 1]
