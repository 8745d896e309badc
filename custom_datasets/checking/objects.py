"""Checks of the boxes of a data set, one image at a time."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from custom_datasets.checking.finding import Finding
from custom_datasets.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.voc_xml import clip_box

OVERLAP = 0.9
"""IoU above which two boxes of a class are taken for one object."""

ROUNDING = 2
"""Pixels beyond the image that rounding, or counting from 1, explains."""

CELL = 8
"""Pixels of a cell of the finest level that FPN detectors look at (stride 8)."""

Sizes = Mapping[str, tuple[int, int]]


def check_extent(split: SplitRecords, sizes: Sizes) -> list[Finding]:
    """Find boxes without an area, inverted, outside the image or clipped by it.

    Args:
        split: The images.
        sizes: Width and height in pixels by image path. Of an image that is
            absent only what is wrong by itself is found.
    """
    findings = []
    for image in split.images:
        for box in image.boxes:
            finding = _extent(split, image, box, sizes.get(image.image or ''))
            if finding:
                findings.append(finding)
    return findings


def check_area(split: SplitRecords) -> list[Finding]:
    """Find boxes that cover less than a cell of the finest level, unscaled."""
    findings = []
    for image in split.images:
        for box in image.boxes:
            x1, y1, x2, y2 = box.box
            width, height = x2 - x1 + split.one_based, y2 - y1 + split.one_based
            if x2 > x1 and y2 > y1 and width * height < CELL * CELL:
                text = f'it is {width:g}x{height:g} px in the image, unscaled'
                hint = (
                    f'too small to be learnt below about {CELL}x{CELL} px: enlarge the '
                    'images, cut them into tiles, or leave such objects out'
                )
                findings.append(
                    _finding(split, image, box, 'small-area', 'note', text, hint)
                )
    return findings


def check_repeats(split: SplitRecords) -> list[Finding]:
    """Find objects annotated twice: exactly, or nearly so in one class."""
    findings = []
    for image in split.images:
        if len(image.boxes) > 1:
            findings += _repeats(split, image)
    return findings


def iou_matrix(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over union of each pair; 0 without an area.

    Args:
        boxes: ``(n, 4)``, ``xyxy`` edges in pixels.

    Returns:
        ``(n, n)``.
    """
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inner = np.clip(high - low, 0, None).prod(-1)
    area = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1)
    union = area[:, None] + area[None] - inner
    overlap: NDArray[np.float64] = np.divide(
        inner, union, out=np.zeros_like(union), where=union > 0
    )
    return overlap


def _extent(
    split: SplitRecords,
    image: ImageRecord,
    box: BoxRecord,
    size: tuple[int, int] | None,
) -> Finding | None:
    x1, y1, x2, y2 = box.box
    if x2 < x1 or y2 < y1:
        return _finding(
            split,
            image,
            box,
            'inverted-box',
            'warning',
            'its maximum is below its minimum',
            'exchange its sides, or draw the box again; until then it is dropped',
        )
    if x2 == x1 or y2 == y1:
        return _finding(
            split,
            image,
            box,
            'zero-area-box',
            'warning',
            'it has no area',
            'draw the box again or delete it; VOCFolderDataset drops it, stock '
            'XMLDataset trains on it and logs loss: inf',
        )
    if size is None:
        return None
    kept, clipped = clip_box(box.box, size, split.one_based)
    where = f'the image has {size[0]}x{size[1]} pixels'
    if kept is None:
        return _finding(
            split,
            image,
            box,
            'outside-box',
            'warning',
            f'it is outside the image: {where}',
            'is this the annotation of another image, or of another size of it?',
        )
    if not clipped:
        return None
    start = int(split.one_based)
    beyond = max(start - x1, start - y1, x2 - size[0], y2 - size[1])
    return _finding(
        split,
        image,
        box,
        'clipped-box',
        'note' if beyond <= ROUNDING else 'warning',
        f'it goes {beyond:g} px beyond the image: {where}',
        'it is clipped; nothing to do where it is a pixel or two'
        if beyond <= ROUNDING
        else 'is this the annotation of another size of the image?',
    )


def _repeats(split: SplitRecords, image: ImageRecord) -> list[Finding]:
    findings = []
    first: dict[tuple[float, ...], BoxRecord] = {}
    different = []
    for box in image.boxes:
        other = first.setdefault(box.box, box)
        if other is box:
            different.append(box)
        elif other.name == box.name:
            findings.append(
                _finding(
                    split,
                    image,
                    box,
                    'duplicate-object',
                    'warning',
                    f'the same as object {other.index}',
                    'delete one of the two',
                )
            )
        else:
            findings.append(
                _finding(
                    split,
                    image,
                    box,
                    'two-classes',
                    'warning',
                    f'object {other.index} has the same box and is {other.name}',
                    'decide which class it is',
                )
            )
    edges = np.array([box.box for box in different], np.float64)
    edges[:, :2] -= split.one_based
    names = np.array([box.name for box in different])
    near = np.triu(iou_matrix(edges), 1) > OVERLAP
    for i, j in np.argwhere(near & (names[:, None] == names[None])):
        one, two = different[i], different[j]
        findings.append(
            _finding(
                split,
                image,
                two,
                'overlapping-objects',
                'warning',
                f'overlaps object {one.index} by more than {OVERLAP:g}',
                'is it one object, annotated twice? then delete one',
            )
        )
    return findings


def _finding(
    split: SplitRecords,
    image: ImageRecord,
    box: BoxRecord,
    code: str,
    severity: str,
    message: str,
    hint: str,
) -> Finding:
    sides = ', '.join(f'{side:g}' for side in box.box)
    return Finding(
        code=code,
        severity=severity,
        message=f'{box.name} ({sides}): {message}',
        hint=hint,
        split=split.split,
        file=image.annotation,
        object=box.index,
    )
