"""Checks of image files: damage, what loading does to them, and their size."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from custom_datasets.data.decode import MAX_PIXELS
from custom_datasets.data.image_facts import ImageFacts
from custom_datasets.data.problems import Finding
from custom_datasets.data.records import ImageRecord, SplitRecords

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
    """Run all checks of this module and of :mod:`custom_datasets.checks.images`.

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


STARTS = (
    *(b'\xff\xd8', b'\x89PNG', b'RIFF', b'GIF8', b'BM', b'II*\0', b'MM\0*'),
    *(b'P%d%c' % (kind, space) for kind in range(1, 7) for space in b' \t\n\r'),
)
"""How JPEG, PNG, WebP, GIF, BMP, the two kinds of TIFF and of Netpbm's PBM, PGM and
PPM the plain and the raw ones begin."""

ENDS = {b'\xff\xd8': b'\xff\xd9', b'\x89PNG': b'IEND'}
"""The marks of the end, by the start: JPEG's (ITU-T T.81, B.2.1), PNG's."""

TAIL = 65_536
"""Bytes in which the end is looked for: cameras write more behind it."""


def check_ends(splits: Sequence[SplitRecords]) -> list[Finding]:
    """Find files that are no image, and JPEG and PNG files without an end."""
    findings = []
    seen = set()
    for split in splits:
        for image in split.images:
            if image.image is None or image.image in seen:
                continue
            seen.add(image.image)
            if problem := look_at_ends(image.image):
                code, message = problem
                findings.append(
                    Finding(
                        code=code,
                        severity='error',
                        message=message,
                        hint='export or copy the image again, or take it out',
                        split=split.split,
                        file=image.image,
                    )
                )
    return findings


def look_at_ends(path: str) -> tuple[str, str] | None:
    """Return the code and the sentence of what is wrong with a file, or None."""
    try:
        with open(path, 'rb') as file:
            head = file.read(4)
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - TAIL))
            tail = file.read()
    except OSError as error:
        return 'undecodable-image', f'cannot be read ({error.strerror})'
    start = next((known for known in STARTS if head.startswith(known)), None)
    if start is None:
        what = 'is not of any kind of image' if size else 'is empty'
        return 'undecodable-image', what
    if start in ENDS and ENDS[start] not in tail:
        return 'truncated-image', 'is cut off'
    return None
