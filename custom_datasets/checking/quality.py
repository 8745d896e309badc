"""Checks of how images look: blank, dark, bright, blurred, gray among colour.

Thresholds are absolute where only a spoilt image can cross them. They were set
on photographs, micrographs and steel surfaces; brightness is 0 to 255.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from custom_datasets.checking.finding import Finding
from custom_datasets.checking.image_facts import ImageFacts
from custom_datasets.records import ImageRecord, SplitRecords

BLANK_RANGE = 10
DARK_LIGHT = 45.0
BRIGHT_SHADOW = 215.0
LEAST_DETAIL = 1.6
LEAST_DETAIL_TO_CONTRAST = 0.13

_OUTLIER_SCORE = 4.5
_ENOUGH_IMAGES = 20
_LOOK = 'look at it; leave it out unless such images come in use as well'

Facts = Mapping[str, ImageFacts]


def check_quality(splits: Sequence[SplitRecords], facts: Facts) -> list[Finding]:
    """Run all checks of this module on images that decode wholly."""
    whole = {path: known for path, known in facts.items() if known.decodes == 'whole'}
    findings = []
    for split, image, known in each_file(splits, whole):
        for check in QUALITY_CHECKS:
            if found := check(known):
                findings.append(replace(found, split=split, file=image.image))
    return [*findings, *check_gray(splits, whole), *check_blur(splits, whole)]


def check_blank(facts: ImageFacts) -> Finding | None:
    """Find images of nearly one brightness."""
    if np.ptp(np.frombuffer(facts.thumbnail, np.uint8)) > BLANK_RANGE:
        return None
    return Finding(
        code='blank',
        severity='warning',
        message=f'is nearly blank, of brightness {facts.mean:.0f} all over',
        hint=_LOOK,
    )


def check_dark(facts: ImageFacts) -> Finding | None:
    """Find images that are dark but for a few lights."""
    if facts.light > DARK_LIGHT:
        return None
    return Finding(
        code='dark',
        severity='warning',
        message=f'is too dark: 95 % of it below brightness {facts.light:.0f} of 255',
        hint=_LOOK,
    )


def check_bright(facts: ImageFacts) -> Finding | None:
    """Find images without any shadow; a white page has its letters."""
    if facts.shadow < BRIGHT_SHADOW:
        return None
    return Finding(
        code='bright',
        severity='warning',
        message=f'is too bright: 99 % of it above brightness {facts.shadow:.0f} of 255',
        hint=_LOOK,
    )


QUALITY_CHECKS: tuple[Callable[[ImageFacts], Finding | None], ...] = (
    check_blank,
    check_dark,
    check_bright,
)
"""Checks of one image by itself: facts in, at most one finding out, without its
place."""


def check_gray(splits: Sequence[SplitRecords], facts: Facts) -> list[Finding]:
    """Find gray images among colour, or colour among gray: the fewer are told."""
    files = [each for each in each_file(splits, facts) if not check_blank(each[2])]
    grays = [each for each in files if each[2].gray]
    if not grays:
        return []
    hint = 'no harm by itself; a model may take the missing colour for a sign'
    if len(grays) == len(files):
        text = f'all {len(files)} images are gray'
        return [Finding(code='gray', severity='note', message=text, hint=hint)]
    is_rare = 2 * len(grays) <= len(files)
    rare = grays if is_rare else [each for each in files if not each[2].gray]
    what, verb = ('is gray', 'are') if is_rare else ('has colour', 'have')
    text = f'{what}; {len(rare)} of {len(files)} images {verb}'
    return [
        Finding(
            code='gray',
            severity='note',
            message=text,
            hint=hint,
            split=split,
            file=image.image,
        )
        for split, image, _ in rare
    ]


def check_blur(splits: Sequence[SplitRecords], facts: Facts) -> list[Finding]:
    """Find images out of focus, by themselves or beside the rest of the set.

    The measure is the Laplacian's spread (Pech-Pacheco et al., "Diatom
    autofocusing in brightfield microscopy", ICPR 2000) on a small copy. It also
    is low in a sharp image of low contrast, so its ratio to contrast has to be
    low, too. Beside the rest means 4.5 robust standard deviations of the
    logarithm below the median.
    """
    files = [
        (split, image, known, known.detail / max(known.contrast, 1e-6))
        for split, image, known in each_file(splits, facts)
        if not check_blank(known)
    ]
    least, least_ratio = 0.0, 0.0
    if len(files) >= _ENOUGH_IMAGES:
        details = np.log([max(known.detail, 1e-3) for _, _, known, _ in files])
        spread = 1.4826 * float(np.median(np.abs(details - np.median(details))))
        least = float(np.exp(np.median(details) - _OUTLIER_SCORE * max(spread, 0.1)))
        least_ratio = float(np.median([ratio for *_, ratio in files])) / 2
    return [
        Finding(
            code='blurred',
            severity='warning',
            message='is blurred'
            + ('' if known.detail < LEAST_DETAIL else ' beside the other images'),
            hint=_LOOK,
            split=split,
            file=image.image,
        )
        for split, image, known, ratio in files
        if (known.detail < LEAST_DETAIL and ratio < LEAST_DETAIL_TO_CONTRAST)
        or (known.detail < least and ratio < least_ratio)
    ]


def each_file(
    splits: Sequence[SplitRecords], facts: Facts
) -> Iterator[tuple[str, ImageRecord, ImageFacts]]:
    """Yield each file that has facts once, with the first split that lists it."""
    seen = set()
    for split in splits:
        for image in split.images:
            path = image.image
            if path is not None and path in facts and path not in seen:
                seen.add(path)
                yield split.split, image, facts[path]
