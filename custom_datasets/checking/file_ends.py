"""A look at both ends of each image file, for when none is decoded.

It finds what ends a training run within its first epoch: files cut off by a
broken download or copy, text files in an image's place (Git LFS leaves such).
"""

import os
from collections.abc import Sequence

from custom_datasets.checking.finding import Finding
from custom_datasets.records import SplitRecords

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
