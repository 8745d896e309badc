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

_SHOWN = 4
_SAME_BOX = 1.0
_SIMILAR_BOX = 0.5
_ONE_SPLIT = 'keep all that show the same in one split'
_ONE_ANNOTATION = 'decide which annotation is right, and keep that image only'

Facts = Mapping[str, ImageFacts]


class Place(NamedTuple):
    """An image in a split's list."""

    split: str
    image: ImageRecord


def check_leaks(splits: Sequence[SplitRecords], facts: Facts) -> list[Finding]:
    """Find repeated pictures: one finding for each group that belongs together.

    Args:
        splits: The data set's parts. Two that list the same images and of which
            none is trained on are taken for one.
        facts: By path of the image.
    """
    findings, splits = _check_equal_lists(splits)
    places: dict[str, list[Place]] = defaultdict(list)
    for split in splits:
        for image in split.images:
            if image.image in facts:
                places[image.image or ''].append(Place(split.split, image))
    listed = {path: facts[path] for path in places}
    findings += check_identical(places, listed)
    sources = source_groups(place[0].image for place in places.values())
    findings += check_sources(places, listed, sources)
    of_source = {path: source for source, paths in sources for path in paths}
    findings += check_alike(places, listed, of_source)
    return findings


def check_identical(
    places: Mapping[str, Sequence[Place]], facts: Facts
) -> list[Finding]:
    """Find pictures with the same pixels, and one that is listed in two splits."""
    groups = identical_groups(facts)
    grouped = {path for group in groups for path in group}
    groups += [(path,) for path in places if path not in grouped]
    findings = []
    for group in groups:
        found = _in_order(places, group)
        is_one_file = len(group) == 1
        if len(found) < 2 or (is_one_file and len({p.split for p in found}) == 1):
            continue
        if is_one_file:
            what = 'is the same file as'
        elif len({facts[path].digest for path in group}) == 1:
            what = 'is byte for byte'
        else:
            what = 'is pixel for pixel'
        findings.append(
            _finding('identical-images', what, found, facts, _SAME_BOX, 'error')
        )
    return findings


def check_alike(
    places: Mapping[str, Sequence[Place]],
    facts: Facts,
    sources: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Find pictures that show the same without being identical.

    Args:
        places: Where each image is listed.
        facts: By path of the image.
        sources: The picture that an image comes from, where that is known; a
            group of one source is passed over.
    """
    findings = []
    for paths, mirrored in alike_groups(facts):
        names = {(sources or {}).get(path, path) for path in paths}
        if len(names) == 1:
            continue
        found = _in_order(places, paths)
        what = 'shows the same, left to right, as' if mirrored else 'shows the same as'
        if len(paths) > MOST_ALIKE:
            what = f'is one of {len(paths)} pictures that look alike, as do'
        # Boxes of a mirrored picture lie elsewhere without being other ones.
        same_box = None if mirrored else _SIMILAR_BOX
        findings.append(_finding('near-identical-images', what, found, facts, same_box))
    return findings


def check_sources(
    places: Mapping[str, Sequence[Place]],
    facts: Facts,
    sources: Iterable[tuple[str, Sequence[str]]],
) -> list[Finding]:
    """Find pieces or versions of one picture in two splits, by their names."""
    findings = []
    for source, paths in sources:
        found = _in_order(places, paths)
        contents = {facts[path].pixels or path for path in paths}
        if len({place.split for place in found}) > 1 and len(contents) > 1:
            what = f'comes from one picture, {source}, with'
            findings.append(_finding('same-source', what, found, facts, None))
    return findings


def _check_equal_lists(
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
                Finding(
                    code='identical-images',
                    severity='error',
                    message=f'lists the same {len(paths)} images as train',
                    hint='a score on images that were learned says nothing',
                    split=split.split,
                    file=split.source or None,
                )
            )
    return findings, list(kept.values())


def _in_order(
    places: Mapping[str, Sequence[Place]], paths: Iterable[str]
) -> list[Place]:
    """Return where images are listed, training first."""
    found = [place for path in paths for place in places[path]]
    return sorted(found, key=lambda place: place.split != 'train')


def _finding(
    code: str,
    what: str,
    places: Sequence[Place],
    facts: Facts,
    same_box: float | None,
    leak: str = 'warning',
) -> Finding:
    """Tell of a group at its last place; others and differences are in the text."""
    *others, last = places
    is_leak = len({place.split for place in places}) > 1
    shown = ', '.join(_name(place, last) for place in others[:_SHOWN])
    more = f' and {len(others) - _SHOWN} more' if len(others) > _SHOWN else ''
    message = f'{what} {shown}{more}'
    found = ''
    if same_box is not None:
        texts = (
            differences(last.image, other.image, facts, same_box) for other in others
        )
        found = next(filter(None, texts), '')
    if is_leak:
        severity = leak
    else:
        severity = 'warning' if found or leak == 'error' else 'note'
    return Finding(
        code=code,
        severity=severity,
        message=f'{message}; {found}' if found else message,
        hint=_ONE_SPLIT
        if is_leak
        else _ONE_ANNOTATION
        if found
        else 'keep one of them',
        split=last.split,
        file=last.image.image,
    )


def _name(place: Place, beside: Place) -> str:
    name = place.image.name
    return name if place.split == beside.split else f'{name} in {place.split}'
