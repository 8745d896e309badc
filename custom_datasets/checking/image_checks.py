"""Checks of image files: damage, what loading does to them, and their size."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from custom_datasets.checking.decoding import MAX_PIXELS
from custom_datasets.checking.finding import Finding
from custom_datasets.checking.image_facts import ImageFacts
from custom_datasets.checking.quality import Facts, check_quality, each_file
from custom_datasets.records import ImageRecord, SplitRecords

LONGEST_RATIO = 5.0

_ONE_PIXEL = 1.0
_SAME_RATIO = 0.02
_FORMATS = {
    '.jpg': ('JPEG', 'MPO'),
    '.jpeg': ('JPEG', 'MPO'),
    '.png': ('PNG',),
    '.bmp': ('BMP',),
    '.tif': ('TIFF',),
    '.tiff': ('TIFF',),
    '.webp': ('WEBP',),
    '.gif': ('GIF',),
    **dict.fromkeys(('.ppm', '.pgm', '.pbm', '.pnm'), ('PPM',)),
}
_RE_EXPORT = 'export or copy the image again, or take it out'


def check_images(splits: Sequence[SplitRecords], facts: Facts) -> list[Finding]:
    """Run all checks of this module and of :mod:`custom_datasets.checking.quality`.

    Args:
        splits: The data set's parts.
        facts: By path of the image; images without facts are passed over.
    """
    findings = []
    for split, image, known in each_file(splits, facts):
        for check in IMAGE_CHECKS:
            if found := check(known):
                findings.append(replace(found, split=split, file=image.image))
        findings += _check_suffix(split, image, known)
    for part in splits:
        findings += check_sizes(part, facts)
    return [*findings, *check_quality(splits, facts)]


def check_decoding(facts: ImageFacts) -> Finding | None:
    """Find what can't be decoded, or not wholly."""
    if facts.decodes == 'unknown':
        width, height = facts.stored or (0, 0)
        return Finding(
            code='huge-image',
            severity='warning',
            message=f'is {width}x{height} pixels, too many to be decoded by this check '
            f'(at most {MAX_PIXELS // 1_000_000} million)',
            hint='cut it into tiles',
        )
    if facts.decodes == 'whole' and not facts.problem:
        return None
    code = {'nothing': 'undecodable-image', 'part': 'truncated-image'}
    return Finding(
        code=code.get(facts.decodes, 'doubtful-image'),
        severity='warning' if facts.decodes == 'whole' else 'error',
        message=facts.problem,
        hint=_RE_EXPORT,
    )


def check_alpha(facts: ImageFacts) -> Finding | None:
    """Find transparency, which OpenCV drops: hidden colours come to light."""
    if not facts.alpha:
        return None
    used = facts.alpha == 'used'
    return Finding(
        code='alpha',
        severity='warning' if used else 'note',
        message='is transparent in part' if used else 'has an alpha band of no use',
        hint='OpenCV drops alpha; what was hidden is seen in training'
        if used
        else 'OpenCV drops it',
    )


def check_bit_depth(facts: ImageFacts) -> Finding | None:
    """Find more than 8 bits a band."""
    if facts.bits <= 8:
        return None
    return Finding(
        code='bit-depth',
        severity='note',
        message=f'has {facts.bits} bits a band',
        hint='8 are kept on loading; scale the values first where these matter',
    )


def check_frames(facts: ImageFacts) -> Finding | None:
    """Find animations and multi-page files; a phone's MPO is none."""
    if facts.frames == 1 or facts.format == 'MPO':
        return None
    return Finding(
        code='several-frames',
        severity='note',
        message=f'holds {facts.frames} pictures',
        hint='only the first is loaded',
    )


def check_aspect_ratio(facts: ImageFacts) -> Finding | None:
    """Find very long or tall images."""
    if facts.size is None or max(facts.size) < LONGEST_RATIO * min(facts.size):
        return None
    width, height = facts.size
    ratio = max(facts.size) / min(facts.size)
    return Finding(
        code='aspect-ratio',
        severity='warning',
        message=f'is {width}x{height} pixels, {ratio:.1f}:1',
        hint='resizing makes its objects tiny or distorts them; cut it into tiles',
    )


IMAGE_CHECKS: tuple[Callable[[ImageFacts], Finding | None], ...] = (
    check_decoding,
    check_alpha,
    check_bit_depth,
    check_frames,
    check_aspect_ratio,
)
"""Checks of one image by itself: facts in, at most one finding out, without its
place."""


def check_sizes(split: SplitRecords, facts: Facts) -> list[Finding]:
    """Find annotations of images of another size, or turned otherwise."""
    findings = []
    for image in split.images:
        known = facts.get(image.image or '')
        if known and known.size:
            found = _check_exif(image, known)
            findings += [replace(found, split=split.split)] if found else []
            if found is None or found.severity != 'error':
                found = _check_size(image, known)
                findings += [replace(found, split=split.split)] if found else []
    return findings


def _check_exif(image: ImageRecord, facts: ImageFacts) -> Finding | None:
    number = facts.orientation
    if number == 1 or not image.boxes or facts.stored is None:
        return None
    turned = number >= 5
    if turned and facts.stored != facts.size and image.size is not None:
        if image.size != facts.stored:
            return None
        width, height = facts.size or (0, 0)
        return Finding(
            code='exif-ignored',
            severity='error',
            message=f'EXIF (orientation {number}) turns it to {width}x{height} '
            'on loading; its boxes are those of the image before',
            hint='turn the pixels, remove the tag, and annotate what is seen then',
            file=image.image,
        )
    what = 'turns' if turned or number == 3 else 'mirrors'
    return Finding(
        code='exif-unclear',
        severity='warning',
        message=f'EXIF (orientation {number}) {what} it on loading; whether '
        'the boxes were drawn before or after that is not to be seen from its size',
        hint='draw the boxes on the image as loaded and look',
        file=image.image,
    )


def _check_size(image: ImageRecord, facts: ImageFacts) -> Finding | None:
    if image.size is None or facts.size is None or image.size == facts.size:
        return None
    (width, height), (w, h) = image.size, facts.size
    other_ratio = abs(width * h - height * w) > _SAME_RATIO * width * h
    outside = any(
        box.box[2] > w + _ONE_PIXEL or box.box[3] > h + _ONE_PIXEL
        for box in image.boxes
    )
    is_xml = (image.annotation or '').lower().endswith('.xml')
    return Finding(
        code='wrong-size',
        severity='error' if other_ratio or outside else 'warning',
        message=f'annotated as {width}x{height} pixels, but the image is {w}x{h}'
        + (', and boxes are outside it' if outside else ''),
        hint='annotate the image that is there, or put back the one that was',
        file=image.annotation if is_xml else image.image,
    )


def _check_suffix(split: str, image: ImageRecord, facts: ImageFacts) -> list[Finding]:
    suffix = os.path.splitext(image.image or '')[1].lower()
    if not facts.size or facts.format in _FORMATS.get(suffix, (facts.format,)):
        return []
    return [
        Finding(
            code='wrong-suffix',
            severity='note',
            message=f'is {facts.format or "another format"}, whatever its suffix says',
            hint='OpenCV looks at the content; other programs may not',
            split=split,
            file=image.image,
        )
    ]
