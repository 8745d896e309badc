"""Checks of how many objects each class has, and of how small they are."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from custom_datasets.checks.codes import HELD_OUT, find
from custom_datasets.checks.scale import ScaledBoxes
from custom_datasets.data.frequencies import (
    balance_sampling,
    count_objects,
    known_names,
    ratio,
)
from custom_datasets.data.problems import Finding
from custom_datasets.data.records import SplitRecords

UNEVEN = 4
"""Most frequent over rarest class above which it is worth a note: there, sampling
by the square root of the frequency first repeats an image (Gupta et al. 2019,
arXiv:1908.03195). The six classes of TrashNet have 4.3."""

EXTREME = 10
"""And a warning: where long-tailed benchmarks begin (Cui et al. 2019,
arXiv:1901.05555). BCCD has 11.5, the face masks 20."""

WORTH_IT = 0.8
"""Class-balanced sampling is named where it lowers the ratio at least to this."""

FEW_TO_TRAIN = 10
"""Images below which a class is rare; LVIS calls up to ten so (Gupta et al. 2019)."""

FEW_TO_TEST = 20
"""Objects below which a recall of 0.5 has a standard error above 0.11, and one
object is worth more than 0.05."""

TIMES = 2.0
"""Factor between a class's shares of two parts above which they differ."""

SIGMAS = 4.0
"""Standard errors by which they must differ as well: 1 in 16,000 by chance."""

TINY = 4.0
"""Pixels at the training scale: half a cell of a stride-8 feature map."""


def check_balance(splits: Sequence[SplitRecords]) -> list[Finding]:
    """Find classes that are far rarer than others, too rare, or in one part only.

    Objects count in detection, images in classification; difficult and unknown ones do
    not. Classes without any are another check's.
    """
    findings: list[Finding] = []
    train = next((split for split in splits if split.split == 'train'), None)
    for split in splits:
        if split.split == 'train':
            findings += _unevenness(split)
        elif train is not None:
            findings += _shares(train, split)
        findings += _few(split)
    return findings


def check_small_boxes(split: SplitRecords, scaled: ScaledBoxes) -> list[Finding]:
    """Find boxes whose shorter side, once scaled, is below :data:`TINY` pixels."""
    sides = scaled.boxes[:, 2:] - scaled.boxes[:, :2]
    tiny = [
        (owner, width, height)
        for owner, (width, height) in zip(scaled.owners, sides.tolist(), strict=True)
        if min(width, height) < TINY
    ]
    counts = Counter(box.name for (_, box), _, _ in tiny)
    totals = Counter(box.name for _, box in scaled.owners)
    table = ', '.join(f'{n} of {totals[name]} {name}' for name, n in counts.items())
    return [
        find(
            'tiny-box',
            f'{box.name} is {width:.1f}x{height:.1f} px at the scale of the pipeline',
            hint=f'below {TINY:g} px are {table}; use a larger scale in the pipeline',
            split=split.split,
            file=image.annotation,
            object=box.index,
        )
        for (image, box), width, height in tiny
    ]


def _unevenness(split: SplitRecords) -> list[Finding]:
    objects, _ = count_objects(split)
    if len(objects) < 2:
        return []
    (most, n), *_, (least, m) = objects.most_common()
    if n < UNEVEN * m:
        return []
    table = ', '.join(f'{name} {count}' for name, count in objects.most_common())
    return [
        find(
            'class-balance',
            f'{most} is {n / m:.3g} times as frequent as {least} ({table})',
            case='' if n >= EXTREME * m else '4 to 10 times',
            hint=_advice(split, objects),
            split=split.split,
            file=split.source,
        )
    ]


def _advice(split: SplitRecords, objects: Mapping[str, int]) -> str:
    """Suggest class-balanced sampling where it evens classes out, else a loss."""
    sampling = balance_sampling(known_names(split))
    if sampling.ratio <= WORTH_IT * ratio(objects):
        return (
            '--cfg-options sampling=repeat-factor shows an image up to '
            f'{sampling.repeats} times, which leaves {sampling.ratio:.3g} to 1'
        )
    if _classifies(split):
        return '--cfg-options loss=class-weighted, or sampling=class-balanced'
    return 'rare and frequent objects share their images: collect more of the rare ones'


def _few(split: SplitRecords) -> list[Finding]:
    objects, images = count_objects(split)
    training = split.split == 'train'
    findings = []
    for name in split.classes:
        count = images[name] if training else objects[name]
        if not 0 < count < (FEW_TO_TRAIN if training else FEW_TO_TEST):
            continue
        boxes = '' if _classifies(split) else f'{_plural(objects[name], "box")} in '
        share = '' if training else f'; one is worth {1 / count:.2f} of its recall'
        findings.append(
            find(
                'few-objects',
                f'{name} has {boxes}{_plural(images[name], "image")}{share}',
                case='' if training else HELD_OUT,
                split=split.split,
                file=split.source,
            )
        )
    return findings


def _shares(train: SplitRecords, other: SplitRecords) -> list[Finding]:
    """Compare the share of images that hold a class, by a test of proportions.

    Images and not objects, since objects of one image are not independent.
    """
    if not train.images or not other.images:
        return []
    (_, trained), (_, held_out) = count_objects(train), count_objects(other)
    n, m = len(train.images), len(other.images)
    findings = []
    for name in train.classes:
        p, q = trained[name] / n, held_out[name] / m
        pooled = (trained[name] + held_out[name]) / (n + m)
        error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        if max(p, q) >= TIMES * min(p, q) > 0 and abs(p - q) > SIGMAS * error:
            findings.append(
                find(
                    'shares-differ',
                    f'{name} is on {q:.0%} of the images, but on {p:.0%} of those of '
                    'train',
                    split=other.split,
                    file=other.source,
                )
            )
    return findings


def _classifies(split: SplitRecords) -> bool:
    return any(image.label is not None for image in split.images)


def _plural(count: int, word: str) -> str:
    ending = 'es' if word.endswith('x') else 's'
    return f'{count} {word}{ending if count != 1 else ""}'
