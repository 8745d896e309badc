"""Choosing images to show, and images that are there more than once."""

import hashlib
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from custom_datasets.checking.content import (
    MOST_ALIKE,
    alike_groups,
    identical_groups,
    source_groups,
)
from custom_datasets.checking.differences import differences
from custom_datasets.checking.image_facts import ImageFacts
from custom_datasets.records import ImageRecord, SplitRecords
from custom_datasets.reporting.statistics import Part

# The overlap from which two boxes are one, in identical and in similar images.
_SAME_BOX, _SIMILAR_BOX = 1.0, 0.5


class Shown(NamedTuple):
    """One image and where it comes from."""

    part: str
    member: SplitRecords
    image: ImageRecord

    @property
    def names(self) -> list[str]:
        """Return the classes on it, one an object, without those left out."""
        names = [box.name for box in self.image.boxes]
        names += [self.image.label] if self.image.label else []
        return [name for name in names if name not in self.member.ignored]


class Repeats(NamedTuple):
    """Images that show the same.

    Attributes:
        images: Two or more.
        identical: Whether their pixels are equal.
        across: Whether they are in several parts.
        conflict: Whether they are annotated differently.
    """

    images: tuple[Shown, ...]
    identical: bool
    across: bool
    conflict: bool


def choose_examples(
    parts: Iterable[Part], among: Container[str], count: int, seed: int = 0
) -> list[Shown]:
    """Choose images on which each class is seen in turn, the rarest first.

    Names and seed alone decide. The last one is an image without objects,
    where there is one.

    Args:
        parts: The data set.
        among: Paths of the images that can be shown.
        count: How many to choose.
        seed: Another seed gives another choice.
    """
    shown = [one for one in _all(parts) if (one.image.image or '') in among]
    shown.sort(key=lambda one: _hash(seed, one.image.name))
    having: dict[str, list[Shown]] = defaultdict(list)
    for one in shown:
        for name in dict.fromkeys(one.names):
            having[name].append(one)
    empty = [one for one in shown if not one.names][:1]
    queues = [
        iter(having[name]) for name in sorted(having, key=lambda n: len(having[n]))
    ]
    chosen: dict[str, Shown] = {}
    while queues and len(chosen) < count - len(empty):
        for queue in list(queues):
            new = next((o for o in queue if o.image.image not in chosen), None)
            if new is None:
                queues.remove(queue)
            elif len(chosen) < count - len(empty):
                chosen[new.image.image or ''] = new
    return [*chosen.values(), *empty]


def find_repeats(
    parts: Sequence[Part], facts: Mapping[str, ImageFacts]
) -> list[Repeats]:
    """Find images that are there more than once.

    Those that look alike are passed over where their names speak of one source,
    or where so many do that it lies in their nature.

    Args:
        parts: The data set.
        facts: By path of the image.

    Returns:
        Identical ones first, and of these the ones with other annotations.
    """
    by_path: dict[str, list[Shown]] = defaultdict(list)
    for one in _all(parts):
        by_path[one.image.image or ''].append(one)
    identical = identical_groups(facts)
    grouped = {path for paths in identical for path in paths}
    identical += [
        (path,)
        for path, ones in by_path.items()
        if path and len(ones) > 1 and path not in grouped
    ]
    pieces = source_groups(image for part in parts for image in part.images)
    source_of = {path: source for source, paths in pieces for path in paths}
    alike = [
        paths
        for paths, _ in alike_groups(facts)
        if len(paths) <= MOST_ALIKE
        and len({source_of.get(path, path) for path in paths}) > 1
    ]
    found = [
        _repeats([one for path in paths for one in by_path[path]], is_identical, facts)
        for is_identical, groups in ((True, identical), (False, alike))
        for paths in groups
    ]
    found.sort(key=lambda r: (not r.identical, not r.conflict, not r.across))
    return found


def _repeats(
    shown: Sequence[Shown], identical: bool, facts: Mapping[str, ImageFacts]
) -> Repeats:
    first, *others = (one.image for one in shown)
    same_box = _SAME_BOX if identical else _SIMILAR_BOX
    return Repeats(
        images=tuple(shown),
        identical=identical,
        across=len({one.part for one in shown}) > 1,
        conflict=any(differences(other, first, facts, same_box) for other in others),
    )


def _all(parts: Iterable[Part]) -> Iterator[Shown]:
    for part in parts:
        for member in part.members:
            for image in member.images:
                yield Shown(part.name, member, image)


def _hash(seed: int, name: str) -> bytes:
    data = f'{seed}/{name}'.encode('utf-8', 'surrogateescape')
    return hashlib.sha256(data).digest()
