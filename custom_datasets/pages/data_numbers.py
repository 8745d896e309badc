"""Numbers about a data set: records in, numbers out."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.image_facts import ImageFacts
from custom_datasets.data.likeness import (
    MOST_ALIKE,
    alike_groups,
    differences,
    identical_groups,
    source_groups,
)
from custom_datasets.data.records import ImageRecord, SplitRecords
from custom_datasets.data.voc import clip_box

Numbers = NDArray[np.float64]
Sizes = Mapping[str, tuple[int, int]]

# Sides in pixels of the squares that divide COCO's small, medium and large boxes
# (https://cocodataset.org/#detection-eval).
_MEDIUM, _LARGE = 32.0, 96.0

# The overlap from which two boxes count as one, in identical and in similar images.
_SAME_BOX, _SIMILAR_BOX = 1.0, 0.5


class Part(NamedTuple):
    """Images that count once: ``train``, or ``val, test`` where both read one list.

    It has several members if it is made of several data sets.
    """

    name: str
    members: tuple[SplitRecords, ...]

    @property
    def images(self) -> list[ImageRecord]:
        """Images of all members."""
        return [image for member in self.members for image in member.images]


class ClassCount(NamedTuple):
    """How often a class is annotated in each part: objects, or images by label.

    ``is_known`` tells whether the config has it.
    """

    name: str
    is_known: bool
    counts: tuple[int, ...]


class Boxes(NamedTuple):
    """Boxes of known classes that have an area.

    Attributes:
        corners: ``(n, 4)``, zero-based ``xyxy`` in pixels, clipped to the image.
        sizes: ``(n, 2)``, width and height in pixels of each one's image.
        labels: ``(n,)``, index of each one's class.
    """

    corners: Numbers
    sizes: Numbers
    labels: NDArray[np.intp]

    @property
    def extents(self) -> Numbers:
        """Width and height in pixels, ``(n, 2)``."""
        extents: Numbers = self.corners[:, 2:] - self.corners[:, :2]
        return extents

    @property
    def sides(self) -> Numbers:
        """Square root of each box's area, in pixels, ``(n,)``."""
        sides: Numbers = np.sqrt(self.extents.prod(axis=1))
        return sides

    @property
    def ratios(self) -> Numbers:
        """Width over height, ``(n,)``."""
        return self.extents[:, 0] / self.extents[:, 1]

    @property
    def centres(self) -> Numbers:
        """Centres as shares of the image's width and height, ``(n, 2)``."""
        centres: Numbers = (self.corners[:, :2] + self.corners[:, 2:]) / 2 / self.sizes
        return centres

    def of_class(self, label: int) -> 'Boxes':
        """Return those of one class."""
        mask = self.labels == label
        return Boxes(self.corners[mask], self.sizes[mask], self.labels[mask])


class Histogram(NamedTuple):
    """Counts between edges: one more edge than counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Shown(NamedTuple):
    """An image, and the part of the data it is in."""

    part: str
    member: SplitRecords
    image: ImageRecord

    @property
    def names(self) -> list[str]:
        """Classes on it, one per object, without those left out on purpose."""
        return _annotated(self.member, self.image)


class Repeats(NamedTuple):
    """Two or more images that look the same.

    Attributes:
        identical: Whether their pixels are equal.
        across: Whether they are in several parts.
        conflict: Whether they are annotated differently.
    """

    images: tuple[Shown, ...]
    identical: bool
    across: bool
    conflict: bool


def merge_splits(splits: Iterable[SplitRecords]) -> list[Part]:
    """Gather data sets by split; validation and test on the same images form one."""
    members: dict[str, list[SplitRecords]] = {}
    for split in splits:
        members.setdefault(split.split, []).append(split)
    names: dict[object, list[str]] = {}
    for name, parts in members.items():
        images = tuple(part.images for part in parts)
        names.setdefault((name == 'train', images), []).append(name)
    return [Part(', '.join(n), tuple(members[n[0]])) for n in names.values()]


def class_names(parts: Iterable[Part]) -> tuple[str, ...]:
    """Return the known classes of all parts, in the order that numbers them."""
    return tuple(dict.fromkeys(n for p in parts for m in p.members for n in m.classes))


def count_classes(parts: Sequence[Part]) -> list[ClassCount]:
    """Count annotations: known classes in their order, then unknown ones by frequency.

    Classes that are left out on purpose are not counted.
    """
    counts = [
        Counter(
            name
            for member in part.members
            for image in member.images
            for name in _annotated(member, image)
        )
        for part in parts
    ]
    classes = class_names(parts)
    total = sum(counts, Counter())
    unknown = [name for name, _ in total.most_common() if name not in classes]
    return [
        ClassCount(name, name in classes, tuple(count[name] for count in counts))
        for name in (*classes, *unknown)
    ]


def collect_boxes(parts: Iterable[Part], sizes: Sizes) -> Boxes:
    """Gather the boxes of all parts.

    ``sizes`` are width and height in pixels by image path. For an image without, those
    in its annotation are taken, and without these its boxes are left out.
    """
    parts = list(parts)
    index = {name: number for number, name in enumerate(class_names(parts))}
    corners, extents, labels = [], [], []
    for shown in _all(parts):
        image = shown.image
        size = sizes.get(image.image or '') or image.size
        if not size:
            continue
        for record in image.boxes:
            box, _ = clip_box(record.box, size, shown.member.one_based)
            if box and record.name in index:
                corners.append(box)
                extents.append(size)
                labels.append(index[record.name])
    return Boxes(
        np.array(corners, np.float64).reshape(-1, 4),
        np.array(extents, np.float64).reshape(-1, 2),
        np.array(labels, np.intp),
    )


def spread(values: Numbers) -> tuple[float, float, float, float, float]:
    """Return the 5th, 25th, 50th, 75th and 95th percentile."""
    low, first, middle, third, high = np.percentile(values, (5, 25, 50, 75, 95))
    return float(low), float(first), float(middle), float(third), float(high)


def doublings(values: Numbers, bins: int, most: float = math.inf) -> Histogram:
    """Count positive values in bins that are equal on a logarithmic axis.

    There are ``bins`` per doubling, and edges are whole powers of 2. The outermost bins
    get what is above ``most`` or below its inverse.
    """
    exponents = np.log2(np.clip(values, 1 / most, most))
    low = math.floor(exponents.min())
    high = max(math.ceil(exponents.max()), low + 1)
    edges = np.linspace(low, high, (high - low) * bins + 1)
    counts, _ = np.histogram(exponents, edges)
    return Histogram(tuple((2.0**edges).tolist()), tuple(counts.tolist()))


def whole_numbers(values: Sequence[int], most_bins: int = 25) -> Histogram:
    """Count whole numbers from 0, with one or several of them in each bin."""
    top = max(values, default=0) + 1
    width = math.ceil(top / most_bins)
    bins = math.ceil(top / width)
    counts = Counter(value // width for value in values)
    edges = tuple(float(index * width) for index in range(bins + 1))
    return Histogram(edges, tuple(counts[index] for index in range(bins)))


def position_grid(centres: Numbers, cells: int = 16) -> NDArray[np.intp]:
    """Count box centres on a grid over the image, ``(cells, cells)``, row by row."""
    places = np.clip((centres * cells).astype(np.intp), 0, cells - 1)
    grid = np.zeros((cells, cells), np.intp)
    np.add.at(grid, (places[:, 1], places[:, 0]), 1)
    return grid


def size_groups(boxes: Boxes) -> tuple[int, int, int]:
    """Count small, medium and large boxes by COCO's limits, unscaled."""
    small = int((boxes.sides < _MEDIUM).sum())
    large = int((boxes.sides >= _LARGE).sum())
    return small, len(boxes.sides) - small - large, large


def image_sizes(parts: Iterable[Part], sizes: Sizes) -> Counter[tuple[int, int]]:
    """Count images by width and height in pixels, as far as these are known."""
    images = (image for part in parts for image in part.images)
    extents = (sizes.get(image.image or '') or image.size for image in images)
    return Counter(size for size in extents if size)


def choose_examples(
    parts: Iterable[Part], among: Container[str], count: int, seed: int = 0
) -> list[Shown]:
    """Choose images that show each class in turn, the rarest first.

    ``among`` are paths of images that can be shown. Only names and seed decide. The
    last one is an image without objects, if there is one.
    """
    candidates = [shown for shown in _all(parts) if (shown.image.image or '') in among]
    candidates.sort(key=lambda shown: _hash(seed, shown.image.name))
    having: dict[str, list[Shown]] = defaultdict(list)
    for shown in candidates:
        for name in dict.fromkeys(shown.names):
            having[name].append(shown)
    empty = [shown for shown in candidates if not shown.names][:1]
    queues = [
        iter(having[name]) for name in sorted(having, key=lambda n: len(having[n]))
    ]
    chosen: dict[str, Shown] = {}
    while queues and len(chosen) < count - len(empty):
        for queue in list(queues):
            new = next((s for s in queue if s.image.image not in chosen), None)
            if new is None:
                queues.remove(queue)
            elif len(chosen) < count - len(empty):
                chosen[new.image.image or ''] = new
    return [*chosen.values(), *empty]


def find_repeats(
    parts: Sequence[Part], facts: Mapping[str, ImageFacts]
) -> list[Repeats]:
    """Find repeated images: identical ones first, those with other annotations on top.

    Similar ones are skipped where their names suggest one source, or where so many are
    alike that it is in their nature. ``facts`` are by image path.
    """
    by_path: dict[str, list[Shown]] = defaultdict(list)
    for shown in _all(parts):
        by_path[shown.image.image or ''].append(shown)
    identical = identical_groups(facts)
    grouped = {path for paths in identical for path in paths}
    identical += [
        (path,)
        for path, images in by_path.items()
        if path and len(images) > 1 and path not in grouped
    ]
    pieces = source_groups(image for part in parts for image in part.images)
    source_of = {path: source for source, paths in pieces for path in paths}
    alike = [
        paths
        for paths, _ in alike_groups(facts)
        if len(paths) <= MOST_ALIKE
        and len({source_of.get(path, path) for path in paths}) > 1
    ]
    repeats = [
        _compare([shown for path in paths for shown in by_path[path]], is_equal, facts)
        for is_equal, groups in ((True, identical), (False, alike))
        for paths in groups
    ]
    repeats.sort(key=lambda r: (not r.identical, not r.conflict, not r.across))
    return repeats


def _compare(
    images: Sequence[Shown], identical: bool, facts: Mapping[str, ImageFacts]
) -> Repeats:
    first, *others = (shown.image for shown in images)
    same_box = _SAME_BOX if identical else _SIMILAR_BOX
    return Repeats(
        images=tuple(images),
        identical=identical,
        across=len({shown.part for shown in images}) > 1,
        conflict=any(differences(other, first, facts, same_box) for other in others),
    )


def _annotated(member: SplitRecords, image: ImageRecord) -> list[str]:
    names = [box.name for box in image.boxes]
    names += [image.label] if image.label else []
    return [name for name in names if name not in member.ignored]


def _all(parts: Iterable[Part]) -> Iterator[Shown]:
    for part in parts:
        for member in part.members:
            for image in member.images:
                yield Shown(part.name, member, image)


def _hash(seed: int, name: str) -> bytes:
    data = f'{seed}/{name}'.encode('utf-8', 'surrogateescape')
    return hashlib.sha256(data).digest()
