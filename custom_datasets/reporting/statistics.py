"""Numbers about a data set: records in, numbers out."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.records import ImageRecord, SplitRecords
from custom_datasets.voc_xml import clip_box

Numbers = NDArray[np.float64]
Sizes = Mapping[str, tuple[int, int]]

SMALL, MEDIUM = 32.0, 96.0
"""Sides in pixels of the squares that part COCO's small, medium and large
(https://cocodataset.org/#detection-eval)."""


class Part(NamedTuple):
    """Images that count once, whichever loaders read them.

    Attributes:
        name: ``train``, or ``val, test`` where two loaders read one list.
        members: Its data sets; several where one is made of others.
    """

    name: str
    members: tuple[SplitRecords, ...]

    @property
    def images(self) -> list[ImageRecord]:
        """Return the images of all members."""
        return [image for member in self.members for image in member.images]


class ClassCount(NamedTuple):
    """How often a class is annotated: objects, or images in classification.

    Attributes:
        name: The class.
        known: Whether it is one of the config's.
        counts: One a part.
    """

    name: str
    known: bool
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
    def sides(self) -> Numbers:
        """Return the square root of each one's area, in pixels."""
        width, height = self._extent
        return np.sqrt(width * height)

    @property
    def ratios(self) -> Numbers:
        """Return width over height."""
        width, height = self._extent
        return width / height

    @property
    def centres(self) -> Numbers:
        """Return ``(n, 2)``, x and y as shares of the image's width and height."""
        middle: Numbers = (self.corners[:, :2] + self.corners[:, 2:]) / 2
        return middle / self.sizes

    def of_class(self, label: int) -> 'Boxes':
        """Return those of one class."""
        chosen = self.labels == label
        return Boxes(self.corners[chosen], self.sizes[chosen], self.labels[chosen])

    @property
    def _extent(self) -> tuple[Numbers, Numbers]:
        extent = self.corners[:, 2:] - self.corners[:, :2]
        return extent[:, 0], extent[:, 1]


class Histogram(NamedTuple):
    """Counts between edges: one more edge than counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def merge_splits(splits: Iterable[SplitRecords]) -> list[Part]:
    """Gather data sets by split.

    Validation and test that read the same images are one part.
    """
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
    """Count what is annotated, as it is in the files.

    Returns:
        The known classes in their order, then the unknown ones, the most
        frequent first. Classes that are left out on purpose are not there.
    """
    counts = [Counter(_annotated(part)) for part in parts]
    known = class_names(parts)
    total = sum(counts, Counter())
    others = [name for name, _ in total.most_common() if name not in known]
    return [
        ClassCount(name, name in known, tuple(count[name] for count in counts))
        for name in (*known, *others)
    ]


def collect_boxes(parts: Iterable[Part], sizes: Sizes) -> Boxes:
    """Gather the boxes of all parts.

    Args:
        parts: The data set.
        sizes: Width and height in pixels by image path; where an image is
            absent, what its annotation claims is taken, and without that its
            boxes are left out.
    """
    parts = list(parts)
    index = {name: number for number, name in enumerate(class_names(parts))}
    corners, extents, labels = [], [], []
    for member in (member for part in parts for member in part.members):
        for image in member.images:
            size = sizes.get(image.image or '') or image.size
            if not size:
                continue
            for record in image.boxes:
                box, _ = clip_box(record.box, size, member.one_based)
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
    """Count in bins that are equal on a logarithmic axis.

    Args:
        values: Above 0; at least one.
        bins: How many until a value has doubled; edges are whole powers of 2.
        most: What is above it, or below its inverse, goes into the last bin.
    """
    exponents = np.log2(np.clip(values, 1 / most, most))
    low = math.floor(exponents.min())
    high = max(math.ceil(exponents.max()), low + 1)
    edges = np.linspace(low, high, (high - low) * bins + 1)
    counts, _ = np.histogram(exponents, edges)
    return Histogram(tuple((2.0**edges).tolist()), tuple(counts.tolist()))


def whole_numbers(values: Sequence[int], most_bins: int = 25) -> Histogram:
    """Count whole numbers from 0, each in a bin, or several of them together."""
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
    """Count small, medium and large boxes as COCO parts them, unscaled."""
    small = int((boxes.sides < SMALL).sum())
    large = int((boxes.sides >= MEDIUM).sum())
    return small, len(boxes.sides) - small - large, large


def image_sizes(parts: Iterable[Part], sizes: Sizes) -> Counter[tuple[int, int]]:
    """Count images by width and height in pixels, as far as these are known."""
    found = (
        sizes.get(image.image or '') or image.size
        for part in parts
        for image in part.images
    )
    return Counter(size for size in found if size)


def _annotated(part: Part) -> Iterable[str]:
    for member in part.members:
        for image in member.images:
            names = [box.name for box in image.boxes]
            names += [image.label] if image.label else []
            yield from (name for name in names if name not in member.ignored)
