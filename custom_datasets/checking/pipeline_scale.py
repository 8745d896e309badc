"""How large boxes are when the network sees them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.checking.transform_sizes import Outcome, Size, Step, follow
from custom_datasets.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.voc_xml import clip_box


class Scaling(NamedTuple):
    """What a pipeline does to the size of what is on an image.

    Attributes:
        factor: What widths and heights are multiplied by; for a random
            pipeline the geometric middle.
        smallest: The smallest factors that can happen.
        size: Width and height in pixels of what comes out, the middle likewise.
        not_followed: Transforms that may change a size and are not known here.
    """

    factor: Size
    smallest: Size
    size: Size
    not_followed: tuple[str, ...] = ()


class ScaledBoxes(NamedTuple):
    """The boxes of a split as they come out of its pipeline.

    Attributes:
        boxes: ``(n, 4)``, zero-based ``xyxy`` in pixels, clipped to the image;
            only those of known classes, with an area and not difficult.
        sizes: ``(n, 2)``, width and height of what each one's image becomes.
        owners: Image and object of each.
        not_followed: See :class:`Scaling`.
    """

    boxes: NDArray[np.float64]
    sizes: NDArray[np.float64]
    owners: tuple[tuple[ImageRecord, BoxRecord], ...]
    not_followed: tuple[str, ...]


def full_pipeline(dataset: Mapping[str, Any]) -> list[Step]:
    """Return the transforms of a data set's config, and of wrappers around it.

    ``MultiImageMixDataset``, which mosaic needs, has a pipeline of its own
    behind that of the data set. Of several data sets the first one's is taken.
    """
    inner = dataset.get('dataset') or (dataset.get('datasets') or [None])[0]
    steps = full_pipeline(inner) if isinstance(inner, Mapping) else []
    return [*steps, *(dataset.get('pipeline') or ())]


def measure_scaling(pipeline: Iterable[Step], size: tuple[int, int]) -> Scaling:
    """Follow an image through a pipeline.

    Args:
        pipeline: The transforms of a config.
        size: Width and height of the image in pixels, both above 0.
    """
    outcomes = follow(pipeline, [Outcome(size)])
    names = (name for outcome in outcomes for name in outcome.not_followed)
    return Scaling(
        factor=_middle([(o.factor, o.weight) for o in outcomes]),
        smallest=(
            min(o.factor[0] for o in outcomes),
            min(o.factor[1] for o in outcomes),
        ),
        size=_middle([(o.size, o.weight) for o in outcomes]),
        not_followed=tuple(dict.fromkeys(names)),
    )


def scale_boxes(
    split: SplitRecords,
    sizes: Mapping[str, tuple[int, int]],
    pipeline: Iterable[Step],
) -> ScaledBoxes:
    """Scale the boxes of a split as its pipeline does.

    Args:
        split: The images.
        sizes: Width and height in pixels by image path. Where an image is
            absent, what its annotation claims is taken; without that, its
            boxes are left out.
        pipeline: The transforms of the split's data set.
    """
    steps = list(pipeline)
    scalings: dict[tuple[int, int], Scaling] = {}
    boxes, outs, owners = [], [], []
    for image in split.images:
        size = sizes.get(image.image or '') or image.size
        if not size or min(size) < 1:
            continue
        if size not in scalings:
            scalings[size] = measure_scaling(steps, size)
        (x, y), out = scalings[size].factor, scalings[size].size
        # A crop loses boxes, it does not move them all into what is left.
        out = (max(out[0], size[0] * x), max(out[1], size[1] * y))
        for record in image.boxes:
            box, _ = clip_box(record.box, size, split.one_based)
            if box and record.name in split.classes and not record.difficult:
                x1, y1, x2, y2 = box
                boxes.append((x1 * x, y1 * y, x2 * x, y2 * y))
                outs.append(out)
                owners.append((image, record))
    names = (name for scaling in scalings.values() for name in scaling.not_followed)
    return ScaledBoxes(
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        sizes=np.array(outs, np.float64).reshape(-1, 2),
        owners=tuple(owners),
        not_followed=tuple(dict.fromkeys(names)),
    )


def _middle(weighted: list[tuple[Size, float]]) -> Size:
    """Return the weighted geometric mean."""
    total = sum(weight for _, weight in weighted)
    width = sum(math.log(size[0]) * weight for size, weight in weighted)
    height = sum(math.log(size[1]) * weight for size, weight in weighted)
    return math.exp(width / total), math.exp(height / total)
