"""What class-balanced sampling would do to the class counts of a data set."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from custom_datasets.data.records import ImageRecord, SplitRecords

MOST_REPEATS = 4
"""Times that sampling may show an image; beyond that it is learned by heart."""


class Sampling(NamedTuple):
    """A setting of ``ClassBalancedDataset``, and what it does.

    Attributes:
        ratio: Most frequent over rarest class that it leaves.
        threshold: Its ``oversample_thr``.
        repeats: How often it shows the images that it shows most often.
    """

    ratio: float
    threshold: float
    repeats: int


def count_objects(split: SplitRecords) -> tuple[Counter[str], Counter[str]]:
    """Count objects (images in classification) of each class, and images with one."""
    objects: Counter[str] = Counter()
    images: Counter[str] = Counter()
    for names in known_names(split):
        objects.update(names)
        images.update(set(names))
    return objects, images


def known_names(split: SplitRecords) -> list[list[str]]:
    """List for each image the known classes of the objects that count."""
    return [
        [name for name in _names(image) if name in split.classes]
        for image in split.images
    ]


def balance_sampling(images: Sequence[Sequence[str]]) -> Sampling:
    """Find the threshold of ``ClassBalancedDataset`` that evens out the most.

    It shows an image ``ceil(max(sqrt(threshold / frequency)))`` times, over the classes
    on it; a class's frequency is the share of images that hold it (Gupta et al. 2019,
    arXiv:1908.03195; ``mmengine.dataset``, 0.10). So the rarest class on an image
    decides, and what matters is where the root passes a whole number. ``images`` has
    the classes of the objects on each image, and at least one in all.
    """
    holding = Counter(name for names in images for name in set(names))
    frequency = {name: count / len(images) for name, count in holding.items()}
    held: dict[str, Counter[str]] = {name: Counter() for name in frequency}
    for names in images:
        if names:
            held[min(names, key=frequency.__getitem__)].update(names)
    tried = []
    for share in frequency.values():
        for times in range(1, MOST_REPEATS):
            threshold = math.floor(share * times**2 * 1000 + 1) / 1000
            repeats = {name: _repeats(threshold, frequency[name]) for name in held}
            shown: Counter[str] = Counter()
            for rarest, counts in held.items():
                for name, count in counts.items():
                    shown[name] += count * repeats[rarest]
            most = max(repeats.values())
            if most <= MOST_REPEATS:
                tried.append(Sampling(ratio(shown), threshold, most))
    return min(tried)


def ratio(counts: Mapping[str, int]) -> float:
    """Return the largest over the smallest count."""
    return max(counts.values()) / min(counts.values())


def _repeats(threshold: float, frequency: float) -> int:
    return math.ceil(max(1.0, math.sqrt(threshold / frequency)))


def _names(image: ImageRecord) -> list[str]:
    if image.label is not None:
        return [image.label]
    return [box.name for box in image.boxes if not box.difficult]
