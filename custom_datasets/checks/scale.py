"""How large boxes are when the network sees them.

The transforms of a config are followed on paper: without them no torch has to be
loaded, so the check before a run stays fast. Tests compare with the real ones.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.config_sources import type_name
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.data.voc import clip_box

Size = tuple[float, float]
"""Width and height: in pixels, or as factors."""

Step = Mapping[str, Any]


class Scaling(NamedTuple):
    """What a pipeline does to the size of what is on an image.

    Attributes:
        factor: What widths and heights are multiplied by; of a random pipeline the
            geometric mean.
        size: Width and height in pixels of what comes out, the mean likewise.
        not_followed: Transforms that may change a size and are not known here.
    """

    factor: Size
    size: Size
    not_followed: tuple[str, ...] = ()


class ScaledBoxes(NamedTuple):
    """The boxes of a split as they come out of its pipeline.

    Attributes:
        boxes: ``(n, 4)``, zero-based ``xyxy`` in pixels, clipped to the image; only
            those of known classes, with an area and not difficult.
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

    ``MultiImageMixDataset``, which mosaic needs, adds a pipeline of its own. Of
    several data sets the first one's is taken.
    """
    inner = dataset.get('dataset') or (dataset.get('datasets') or [None])[0]
    steps = full_pipeline(inner) if isinstance(inner, Mapping) else []
    return [*steps, *(dataset.get('pipeline') or ())]


def measure_scaling(pipeline: Iterable[Step], size: tuple[int, int]) -> Scaling:
    """Follow an image of a width and height in pixels through a pipeline."""
    outcomes = _follow(pipeline, [_Outcome(size)])
    names = (name for outcome in outcomes for name in outcome.not_followed)
    return Scaling(
        factor=_middle([(o.factor, o.weight) for o in outcomes]),
        size=_middle([(o.size, o.weight) for o in outcomes]),
        not_followed=tuple(dict.fromkeys(names)),
    )


def scale_boxes(
    split: SplitRecords,
    sizes: Mapping[str, tuple[int, int]],
    pipeline: Iterable[Step],
) -> ScaledBoxes:
    """Scale the boxes of a split as its pipeline does.

    Sizes are width and height in pixels by image path. Of an image without one, what
    its annotation claims is taken; without that, its boxes are left out.
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


class _Outcome(NamedTuple):
    """One thing that can happen to an image, and its probability, ``weight``."""

    size: Size
    factor: Size = (1.0, 1.0)
    weight: float = 1.0
    not_followed: tuple[str, ...] = ()

    def resized(self, size: Size) -> '_Outcome':
        pairs = zip(self.factor, size, self.size, strict=True)
        x, y = (factor * new / old for factor, new, old in pairs)
        return self._replace(size=size, factor=(x, y))


def _follow(steps: Iterable[Step], outcomes: list[_Outcome]) -> list[_Outcome]:
    """Return everything that can come out of a pipeline.

    Of a random number the smallest and the largest are followed, of a choice
    each.
    """
    for step in steps:
        weights: dict[_Outcome, float] = {}
        for old in outcomes:
            for new in _apply(step, old):
                key = new._replace(weight=0)
                weights[key] = weights.get(key, 0) + new.weight
        outcomes = [key._replace(weight=weights[key]) for key in weights]
    return outcomes


def _apply(step: Step, old: _Outcome) -> list[_Outcome]:
    name = type_name(step.get('type')).rpartition('.')[2]
    if name in _KEEP_THE_SIZE:
        return [old]
    try:
        return _FOLLOWED[name](step, old)
    except (KeyError, TypeError, ValueError):
        # It is not known here, or a parameter that it needs is missing.
        return [old._replace(not_followed=(*old.not_followed, name))]


def _resize(step: Step, old: _Outcome) -> list[_Outcome]:
    scale = step.get('scale')
    if scale is None:
        factors = _pair(step['scale_factor'])
        scale = [_rounded(n * f) for n, f in zip(old.size, factors, strict=True)]
    return [_fit(old, _pair(scale), bool(step.get('keep_ratio', False)))]


def _fit(old: _Outcome, scale: Size, keep_ratio: bool) -> _Outcome:
    """Resize as mmcv's ``imrescale`` (ratio kept) or ``imresize`` does.

    With the ratio kept, the long side is at most the larger number of the
    scale and the short side at most the smaller one.
    """
    if not keep_ratio:
        return old.resized(scale)
    factor = min(max(scale) / max(old.size), min(scale) / min(old.size))
    width, height = (max(_rounded(side * factor), 1) for side in old.size)
    return old.resized((width, height))


def _random_resize(step: Step, old: _Outcome) -> list[_Outcome]:
    scale, ratios = step['scale'], step.get('ratio_range')
    if ratios:
        width, height = _pair(scale)
        scales = [(int(width * r), int(height * r)) for r in ratios]
    else:
        widths, heights = zip(*(_pair(corner) for corner in scale), strict=True)
        scales = [(min(widths), min(heights)), (max(widths), max(heights))]
    return _branches([_resize({**step, 'scale': s}, old) for s in scales])


def _choice_resize(step: Step, old: _Outcome) -> list[_Outcome]:
    scales = step['scales'] if isinstance(step['scales'], list) else [step['scales']]
    return _branches([_resize({**step, 'scale': s}, old) for s in scales])


def _shortest_edge(step: Step, old: _Outcome) -> list[_Outcome]:
    factor = min(_pair(step['scale'])) / min(old.size)
    longest = step.get('max_size')
    if longest:
        factor = min(factor, longest / max(old.size))
    width, height = (_rounded(side * factor) for side in old.size)
    return [_fit(old, (width, height), bool(step.get('keep_ratio', False)))]


def _fixed_shape(step: Step, old: _Outcome) -> list[_Outcome]:
    size = (step['width'], step['height'])
    if not step.get('keep_ratio'):
        return [old.resized(size)]
    factor = min(new / side for new, side in zip(size, old.size, strict=True))
    width, height = (_rounded(side * factor) for side in old.size)
    return [old.resized((width, height))._replace(size=size)]


def _resize_edge(step: Step, old: _Outcome) -> list[_Outcome]:
    (width, height), scale = old.size, step['scale']
    edge = step.get('edge', 'short')
    is_width = (
        edge == 'width'
        or (edge == 'short' and width < height)
        or (edge == 'long' and width > height)
    )
    if is_width:
        return [old.resized((scale, int(scale * height / width)))]
    return [old.resized((int(scale * width / height), scale))]


def _resized_crop(step: Step, old: _Outcome) -> list[_Outcome]:
    """Follow the smallest and the largest crop of a square's shape."""
    width, height = old.size
    ends = []
    for area in step.get('crop_ratio_range', (0.08, 1.0)):
        side = min(math.sqrt(area * width * height), width, height)
        crop = old._replace(size=(side, side))
        ends.append([crop.resized(_pair(step['scale']))])
    return _branches(ends)


def _crop(step: Step, old: _Outcome) -> list[_Outcome]:
    crop, kind = _pair(step['crop_size']), step.get('crop_type', 'absolute')
    if kind == 'absolute':
        return [old._replace(size=_smaller(old.size, crop))]
    if kind == 'absolute_range':
        ends = [_smaller(old.size, (side, side)) for side in crop]
    else:
        # A range is given as (height, width), against everything else.
        wide, high = crop if kind == 'relative' else crop[::-1]
        low = (old.size[0] * wide, old.size[1] * high)
        ends = [low] if kind == 'relative' else [low, old.size]
    return _branches([[old._replace(size=size)] for size in ends])


def _iou_crop(step: Step, old: _Outcome) -> list[_Outcome]:
    """Follow the whole image, one of its modes, and the smallest and largest crop."""
    modes = 2 + len(step.get('min_ious', (0.1, 0.3, 0.5, 0.7, 0.9)))
    share = step.get('min_crop_size', 0.3)
    smallest = old._replace(size=(old.size[0] * share, old.size[1] * share))
    return _branches(
        [[old], _branches([[smallest], [old]])], [1 / modes, 1 - 1 / modes]
    )


def _expand(step: Step, old: _Outcome) -> list[_Outcome]:
    """Put a border around the image, of up to three times its sides by default."""
    ends = [
        [old._replace(size=(int(old.size[0] * ratio), int(old.size[1] * ratio)))]
        for ratio in step.get('ratio_range', (1, 4))
    ]
    return _maybe({'prob': 0.5, **step}, _branches(ends), old)


def _pad(step: Step, old: _Outcome) -> list[_Outcome]:
    width, height = old.size
    if step.get('pad_to_square'):
        width = height = max(width, height)
    if step.get('size'):
        wide, high = _pair(step['size'])
        width, height = max(width, wide), max(height, high)
    if step.get('size_divisor'):
        divisor = step['size_divisor']
        width = math.ceil(width / divisor) * divisor
        height = math.ceil(height / divisor) * divisor
    return [old._replace(size=(width, height))]


def _mosaic(step: Step, old: _Outcome) -> list[_Outcome]:
    """Fit the image into one of four fields; the result is as large as four."""
    wide, high = _pair(step.get('img_scale', (640, 640)))
    factor = min(wide / old.size[0], high / old.size[1])
    fitted = old.resized((old.size[0] * factor, old.size[1] * factor))
    return _maybe(step, [fitted._replace(size=(wide * 2, high * 2))], old)


def _affine(step: Step, old: _Outcome) -> list[_Outcome]:
    border = _pair(step.get('border', (0, 0)))
    (width, height), (x, y) = old.size, old.factor
    size = (width + 2 * border[0], height + 2 * border[1])
    ends = step.get('scaling_ratio_range', (0.5, 1.5))
    return _branches([[old._replace(size=size, factor=(x * r, y * r))] for r in ends])


def _one_of(step: Step, old: _Outcome) -> list[_Outcome]:
    pipelines = [[t] if isinstance(t, Mapping) else t for t in step['transforms']]
    return _branches([_follow(p, [old]) for p in pipelines], step.get('prob'))


def _all_of(step: Step, old: _Outcome) -> list[_Outcome]:
    transforms = step.get('transforms') or ()
    steps = [transforms] if isinstance(transforms, Mapping) else transforms
    return _follow(steps, [old])


def _apply_at_random(step: Step, old: _Outcome) -> list[_Outcome]:
    return _maybe({'prob': 0.5, **step}, _all_of(step, old), old)


def _test_time(step: Step, old: _Outcome) -> list[_Outcome]:
    outcomes = [old]
    for alternatives in step['transforms']:
        outcomes = [
            new
            for outcome in outcomes
            for new in _one_of({'transforms': alternatives}, outcome)
        ]
    return outcomes


def _maybe(step: Step, new: list[_Outcome], old: _Outcome) -> list[_Outcome]:
    prob = step.get('prob', 1.0)
    return _branches([new, [old]], [prob, 1 - prob])


def _branches(
    branches: Sequence[list[_Outcome]], probs: Sequence[float] | None = None
) -> list[_Outcome]:
    """Join what can happen, by probability; equal ones where none is given."""
    probs = probs or [1 / len(branches)] * len(branches)
    return [
        outcome._replace(weight=outcome.weight * prob)
        for branch, prob in zip(branches, probs, strict=True)
        for outcome in branch
        if prob
    ]


def _pair(value: Any) -> Size:
    if isinstance(value, (int, float)):
        return value, value
    width, height = value
    return width, height


def _smaller(one: Size, two: Size) -> Size:
    return min(one[0], two[0]), min(one[1], two[1])


def _rounded(value: float) -> int:
    return int(value + 0.5)


def _middle(weighted: list[tuple[Size, float]]) -> Size:
    total = sum(weight for _, weight in weighted)
    width = sum(math.log(size[0]) * weight for size, weight in weighted)
    height = sum(math.log(size[1]) * weight for size, weight in weighted)
    return math.exp(width / total), math.exp(height / total)


_KEEP_THE_SIZE = frozenset(
    """
    AutoContrast Brightness CachedMixUp Color ColorJitter
    ColorTransform Contrast CopyPaste Corrupt CutOut Equalize FilterAnnotations
    GaussianBlur ImageToTensor Invert Lighting LoadAnnotations LoadEmptyAnnotations
    LoadImageFromFile LoadImageFromNDArray LoadMultiChannelImageFromFiles
    LoadPanopticAnnotations LoadProposals MixUp Normalize NumpyToPIL
    PackDetInputs PackInputs PhotoMetricDistortion PILToNumpy Posterize RandAugment
    RandomErasing RandomFlip RandomGrayscale RandomShift Rotate Sharpness Shear
    Solarize ToTensor Translate YOLOXHSVRandomAug
    """.split()
)

_FOLLOWED: dict[str, Callable[[Step, _Outcome], list[_Outcome]]] = {
    'Resize': _resize,
    'FixScaleResize': _resize,
    'RandomResize': _random_resize,
    'RandomChoiceResize': _choice_resize,
    'ResizeShortestEdge': _shortest_edge,
    'FixShapeResize': _fixed_shape,
    'ResizeEdge': _resize_edge,
    'RandomResizedCrop': _resized_crop,
    'RandomCrop': _crop,
    'CenterCrop': _crop,
    'MinIoURandomCrop': _iou_crop,
    'Expand': _expand,
    'Pad': _pad,
    'Mosaic': _mosaic,
    'CachedMosaic': _mosaic,
    'RandomAffine': _affine,
    'RandomChoice': _one_of,
    'RandomApply': _apply_at_random,
    'RandomOrder': _all_of,
    'Compose': _all_of,
    'KeyMapper': _all_of,
    'TransformBroadcaster': _all_of,
    'ProposalBroadcaster': _all_of,
    'TestTimeAug': _test_time,
}
