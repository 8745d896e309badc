"""Checks between images: the same picture twice, in one split or in two.

What makes a score worthless is an error: a picture that is both learned and
tested. Inside one split a repeat is a warning even where its annotations
contradict each other, since training goes on. Pictures that are alike without
being identical, and names that speak of one source, are evidence, not proof:
warnings across splits, notes inside one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from custom_datasets.checks.codes import CONTRADICTION, ONE_SPLIT, find
from custom_datasets.data.image_facts import ImageFacts
from custom_datasets.data.likeness import (
    MOST_ALIKE,
    alike_groups,
    differences,
    identical_groups,
    source_groups,
)
from custom_datasets.data.problems import Finding
from custom_datasets.data.records import ImageRecord, SplitRecords
from custom_datasets.text import counted

_SHOWN = 4
_SAME_BOX = 1.0
_SIMILAR_BOX = 0.5

Facts = Mapping[str, ImageFacts]


class Place(NamedTuple):
    """An image in a split's list."""

    split: str
    image: ImageRecord


Places = Mapping[str, Sequence[Place]]
"""Where each image is listed, by its path."""


def check_leaks(splits: Sequence[SplitRecords], facts: Facts) -> list[Finding]:
    """Find repeated pictures: one finding for each group that belongs together.

    Two splits that list the same images, neither of them for training, are taken for
    one.
    """
    findings, splits = _equal_lists(splits)
    places: dict[str, list[Place]] = defaultdict(list)
    for split in splits:
        for image in split.images:
            if image.image in facts:
                places[image.image or ''].append(Place(split.split, image))
    listed = {path: facts[path] for path in places}
    origins = source_groups(of_path[0].image for of_path in places.values())
    findings += _identical(places, listed)
    findings += _same_source(places, listed, origins)
    findings += _alike(places, listed, origins)
    return findings


def _equal_lists(
    splits: Sequence[SplitRecords],
) -> tuple[list[Finding], list[SplitRecords]]:
    """Leave out lists of the same images; say so where one is trained on."""
    kept: dict[frozenset[str | None], SplitRecords] = {}
    findings = []
    for split in splits:
        paths = frozenset(image.image for image in split.images)
        first = kept.setdefault(paths, split)
        if first is not split and first.split != split.split == 'train':
            first, split = split, first
        if paths and first is not split and first.split == 'train' != split.split:
            findings.append(
                find(
                    'identical-images',
                    f'lists the same {counted(len(paths), "images")} as train',
                    split=split.split,
                    file=split.source or None,
                )
            )
    return findings, list(kept.values())


def _identical(places: Places, facts: Facts) -> list[Finding]:
    """Find pictures with the same pixels, and files that two splits list."""
    groups = identical_groups(facts)
    grouped = {path for group in groups for path in group}
    groups += [(path,) for path in places if path not in grouped]
    findings = []
    for group in groups:
        members = _training_first(places, group)
        is_one_file = len(group) == 1
        if is_one_file and len({place.split for place in members}) == 1:
            continue
        if is_one_file:
            what = 'is the same file as'
        elif len({facts[path].digest for path in group}) == 1:
            what = 'is byte for byte'
        else:
            what = 'is pixel for pixel'
        findings.append(_find('identical-images', what, members, facts, _SAME_BOX))
    return findings


def _same_source(
    places: Places, facts: Facts, origins: Iterable[tuple[str, Sequence[str]]]
) -> list[Finding]:
    findings = []
    for origin, paths in origins:
        members = _training_first(places, paths)
        pictures = {facts[path].pixels or path for path in paths}
        if len({place.split for place in members}) > 1 and len(pictures) > 1:
            what = f'comes from one picture, {origin}, with'
            findings.append(_find('same-source', what, members, facts, None))
    return findings


def _alike(
    places: Places, facts: Facts, origins: Iterable[tuple[str, Sequence[str]]]
) -> list[Finding]:
    """Find pictures that show the same, unless their names say so already."""
    origin_of = {path: origin for origin, paths in origins for path in paths}
    findings = []
    for paths, mirrored in alike_groups(facts):
        if len({origin_of.get(path, path) for path in paths}) == 1:
            continue
        what = 'shows the same, left to right, as' if mirrored else 'shows the same as'
        if len(paths) > MOST_ALIKE:
            what = f'is one of {len(paths)} pictures that look alike, as do'
        members = _training_first(places, paths)
        # Boxes of a mirrored picture lie elsewhere without being different.
        same_box = None if mirrored else _SIMILAR_BOX
        findings.append(_find('near-identical-images', what, members, facts, same_box))
    return findings


def _training_first(places: Places, paths: Iterable[str]) -> list[Place]:
    listed = [place for path in paths for place in places[path]]
    return sorted(listed, key=lambda place: place.split != 'train')


def _find(
    code: str,
    what: str,
    places: Sequence[Place],
    facts: Facts,
    same_box: float | None,
) -> Finding:
    """Report a group at its last place; the text has the others and a difference."""
    *others, last = places
    names = ', '.join(_name(place, last) for place in others[:_SHOWN])
    more = f' and {len(others) - _SHOWN} more' if len(others) > _SHOWN else ''
    message = f'{what} {names}{more}'
    difference = ''
    if same_box is not None:
        texts = (
            differences(last.image, other.image, facts, same_box) for other in others
        )
        difference = next(filter(None, texts), '')
    case = ''
    if len({place.split for place in places}) == 1:
        case = CONTRADICTION if difference else ONE_SPLIT
    return find(
        code,
        f'{message}; {difference}' if difference else message,
        case=case,
        split=last.split,
        file=last.image.image,
    )


def _name(place: Place, beside: Place) -> str:
    name = place.image.name
    return name if place.split == beside.split else f'{name} in {place.split}'
