"""Checks of image files: damage, what loading does to them, their size and light."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from custom_datasets.checks.codes import find, grade_problem
from custom_datasets.data.image_facts import ImageFacts
from custom_datasets.data.image_kinds import MAX_PIXELS
from custom_datasets.data.images import file_problem
from custom_datasets.data.problems import Finding
from custom_datasets.data.records import ImageRecord, SplitRecords

BLANK_RANGE = 10
DARK_LIGHT = 45.0
BRIGHT_SHADOW = 215.0
LEAST_DETAIL = 1.6
LEAST_DETAIL_TO_CONTRAST = 0.13
LONGEST_RATIO = 5.0

_OUTLIER_SCORE = 4.5
_ENOUGH_IMAGES = 20
_ONE_PIXEL = 1.0
_SAME_RATIO = 0.02
_FORMATS = {
    **dict.fromkeys(('.jpg', '.jpeg'), ('JPEG', 'MPO')),
    **dict.fromkeys(('.tif', '.tiff'), ('TIFF',)),
    **dict.fromkeys(('.ppm', '.pgm', '.pbm', '.pnm'), ('PPM',)),
    **{f'.{name}': (name.upper(),) for name in ('png', 'bmp', 'webp', 'gif')},
}

Facts = Mapping[str, ImageFacts]


class Remark(NamedTuple):
    """What a check of one image says, without the place."""

    code: str
    message: str
    case: str = ''


def check_images(splits: Sequence[SplitRecords], facts: Facts) -> list[Finding]:
    """Run all checks on images; those without facts are skipped."""
    findings = []
    for split, image, fact in _each_file(splits, facts):
        for check in _CHECKS:
            if remark := check(fact):
                findings.append(_place(remark, split, image.image))
        if remark := _suffix(image, fact):
            findings.append(_place(remark, split, image.image))
    for part in splits:
        findings += check_sizes(part, facts)
    whole = {path: fact for path, fact in facts.items() if fact.decodes == 'whole'}
    return [*findings, *check_gray(splits, whole), *check_blur(splits, whole)]


def check_ends(splits: Sequence[SplitRecords]) -> list[Finding]:
    """Find files that are not images, and JPEG and PNG files without an end.

    Next to nothing is decoded, so it is part of the quick check.
    """
    findings = []
    seen = set()
    for split in splits:
        for image in split.images:
            if image.image is None or image.image in seen:
                continue
            seen.add(image.image)
            if problem := file_problem(image.image):
                findings.append(grade_problem(problem, split.split, False))
    return findings


def check_sizes(split: SplitRecords, facts: Facts) -> list[Finding]:
    """Find annotations that claim another image size, or a turned one."""
    findings = []
    for image in split.images:
        fact = facts.get(image.image or '')
        if fact is None or fact.size is None:
            continue
        exif = _exif(image, fact)
        if exif:
            findings.append(_place(exif, split.split, image.image))
        if exif and exif.code == 'exif-ignored':
            continue
        if remark := _size(image, fact):
            is_xml = (image.annotation or '').lower().endswith('.xml')
            file = image.annotation if is_xml else image.image
            findings.append(_place(remark, split.split, file))
    return findings


def check_gray(splits: Sequence[SplitRecords], facts: Facts) -> list[Finding]:
    """Find gray images among colour, or colour among gray: the fewer are named."""
    files = [file for file in _each_file(splits, facts) if not _blank(file[2])]
    grays = [file for file in files if file[2].gray]
    if not grays:
        return []
    if len(grays) == len(files):
        return [find('gray', f'all {len(files)} images are gray')]
    gray_is_rare = 2 * len(grays) <= len(files)
    rare = grays if gray_is_rare else [file for file in files if not file[2].gray]
    what, verb = ('is gray', 'are') if gray_is_rare else ('has colour', 'have')
    text = f'{what}; {len(rare)} of {len(files)} images {verb}'
    return [
        find('gray', text, split=split, file=image.image) for split, image, _ in rare
    ]


def check_blur(splits: Sequence[SplitRecords], facts: Facts) -> list[Finding]:
    """Find images out of focus, by themselves or compared with the rest of the set.

    The measure is the Laplacian's spread (Pech-Pacheco et al., "Diatom autofocusing in
    brightfield microscopy", ICPR 2000) on a small copy. It is also low in a sharp image
    of low contrast, so its ratio to contrast has to be low, too. Compared with the rest
    means 4.5 robust standard deviations of the logarithm below the median.
    """
    files = [
        (split, image, fact, fact.detail / max(fact.contrast, 1e-6))
        for split, image, fact in _each_file(splits, facts)
        if not _blank(fact)
    ]
    least, least_ratio = 0.0, 0.0
    if len(files) >= _ENOUGH_IMAGES:
        details = np.log([max(fact.detail, 1e-3) for _, _, fact, _ in files])
        spread = 1.4826 * float(np.median(np.abs(details - np.median(details))))
        least = float(np.exp(np.median(details) - _OUTLIER_SCORE * max(spread, 0.1)))
        least_ratio = float(np.median([ratio for *_, ratio in files])) / 2
    findings = []
    for split, image, fact, ratio in files:
        if fact.detail < LEAST_DETAIL and ratio < LEAST_DETAIL_TO_CONTRAST:
            text = 'is blurred'
        elif fact.detail < least and ratio < least_ratio:
            text = 'is blurred compared with the other images'
        else:
            continue
        findings.append(find('blurred', text, split=split, file=image.image))
    return findings


def _decoding(facts: ImageFacts) -> Remark | None:
    if facts.decodes == 'unknown':
        width, height = facts.stored or (0, 0)
        return Remark(
            'huge-image',
            f'is {width}x{height} pixels, too many to be decoded by this check '
            f'(at most {MAX_PIXELS // 1_000_000} million)',
        )
    if not facts.problem:
        return None
    codes = {'nothing': 'undecodable-image', 'part': 'truncated-image'}
    return Remark(codes.get(facts.decodes, 'doubtful-image'), facts.problem)


def _alpha(facts: ImageFacts) -> Remark | None:
    """Find transparency, which OpenCV drops: hidden colours come to light."""
    if not facts.alpha:
        return None
    if facts.alpha == 'used':
        return Remark('alpha', 'is transparent in part')
    return Remark('alpha', 'has an unused alpha channel', 'almost nowhere')


def _bit_depth(facts: ImageFacts) -> Remark | None:
    if facts.bits <= 8:
        return None
    return Remark('bit-depth', f'has {facts.bits} bits per channel')


def _frames(facts: ImageFacts) -> Remark | None:
    """Find animations and multi-page files; a phone's MPO is neither."""
    if facts.frames == 1 or facts.format == 'MPO':
        return None
    return Remark('several-frames', f'holds {facts.frames} pictures')


def _aspect_ratio(facts: ImageFacts) -> Remark | None:
    if facts.size is None or max(facts.size) < LONGEST_RATIO * min(facts.size):
        return None
    width, height = facts.size
    ratio = max(facts.size) / min(facts.size)
    return Remark('aspect-ratio', f'is {width}x{height} pixels, {ratio:.1f}:1')


def _blank(facts: ImageFacts) -> Remark | None:
    values = np.frombuffer(facts.thumbnail, np.uint8)
    if facts.decodes != 'whole' or np.ptp(values) > BLANK_RANGE:
        return None
    return Remark('blank', f'is nearly blank, of brightness {facts.mean:.0f} all over')


def _dark(facts: ImageFacts) -> Remark | None:
    """Find images that are dark but for a few lights."""
    if facts.decodes != 'whole' or facts.light > DARK_LIGHT:
        return None
    text = f'is too dark: 95 % of it is below brightness {facts.light:.0f} of 255'
    return Remark('dark', text)


def _bright(facts: ImageFacts) -> Remark | None:
    """Find images without any shadow; a white page has its letters."""
    if facts.decodes != 'whole' or facts.shadow < BRIGHT_SHADOW:
        return None
    text = f'is too bright: 99 % of it is above brightness {facts.shadow:.0f} of 255'
    return Remark('bright', text)


_CHECKS: tuple[Callable[[ImageFacts], Remark | None], ...] = (
    *(_decoding, _alpha, _bit_depth, _frames, _aspect_ratio),
    *(_blank, _dark, _bright),
)


def _suffix(image: ImageRecord, facts: ImageFacts) -> Remark | None:
    suffix = os.path.splitext(image.image or '')[1].lower()
    if not facts.size or facts.format in _FORMATS.get(suffix, (facts.format,)):
        return None
    kind = facts.format or 'another format'
    return Remark('wrong-suffix', f'is {kind}, whatever its suffix says')


def _exif(image: ImageRecord, facts: ImageFacts) -> Remark | None:
    number = facts.orientation
    if number == 1 or not image.boxes or facts.stored is None:
        return None
    turned = number >= 5
    if turned and facts.stored != facts.size and image.size is not None:
        if image.size != facts.stored:
            return None
        width, height = facts.size or (0, 0)
        return Remark(
            'exif-ignored',
            f'EXIF (orientation {number}) turns it to {width}x{height} on loading; '
            'its boxes are those from before that',
        )
    what = 'turns' if turned or number == 3 else 'mirrors'
    return Remark(
        'exif-unclear',
        f'EXIF (orientation {number}) {what} it on loading; its size does not tell '
        'whether the boxes were drawn before or after that',
    )


def _size(image: ImageRecord, facts: ImageFacts) -> Remark | None:
    if image.size is None or facts.size is None or image.size == facts.size:
        return None
    (width, height), (w, h) = image.size, facts.size
    other_ratio = abs(width * h - height * w) > _SAME_RATIO * width * h
    outside = any(
        box.box[2] > w + _ONE_PIXEL or box.box[3] > h + _ONE_PIXEL
        for box in image.boxes
    )
    text = f'annotated as {width}x{height} pixels, but the image is {w}x{h}'
    if outside:
        text += ', and boxes are outside it'
    mild = not other_ratio and not outside
    case = 'the same proportions, and no box outside' if mild else ''
    return Remark('wrong-size', text, case)


def _each_file(
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


def _place(remark: Remark, split: str, file: str | None) -> Finding:
    return find(remark.code, remark.message, case=remark.case, split=split, file=file)
