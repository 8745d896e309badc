"""Checks of the boxes of a data set, one image at a time."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.config_sources import Source
from custom_datasets.data.images import ImageIndex, without_suffix
from custom_datasets.data.names import nearest_class
from custom_datasets.data.origins import FILE, find_sources
from custom_datasets.data.problems import Finding
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.data.voc import clip_box
from custom_datasets.errors import UserError

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


NAMED_BY_CLASS = 0.8
"""Share of files called after their class from which on an exception is odd."""


def check_names(split: SplitRecords) -> list[Finding]:
    """Find objects and images of a class that the data set does not know."""
    known = set(split.classes) | split.ignored
    findings = []
    hints: dict[str, str] = {}
    for image, name, index in _named(split):
        if name in known:
            continue
        if name not in hints:
            nearest = nearest_class(name, split.classes)
            hints[name] = (
                f'did you mean {nearest!r}?'
                if nearest
                else f'known: {", ".join(split.classes)}'
            )
        findings.append(
            Finding(
                code='unknown-class',
                severity='error',
                message=f'unknown class {name!r}; {hints[name]}',
                hint='rename it, add it to classes=[...] (or METAINFO), or set '
                'ignore_classes=[...]; both work at the top of the leaf',
                split=split.split,
                file=image.annotation,
                object=index,
            )
        )
    found = Counter(name for _, name, _ in _named(split))
    if found and not known & set(found):
        names = ', '.join(repr(name) for name in found)
        findings.append(
            Finding(
                code='other-vocabulary',
                severity='error',
                message=f'not one object is of a known class; the data speak of '
                f'{names}, the config of {", ".join(map(repr, split.classes))}',
                hint=f'set classes={list(found)} (--cfg-options or a line in the '
                'leaf), if this is the data set that was meant',
                split=split.split,
                file=split.source,
            )
        )
    return findings


def check_presence(split: SplitRecords) -> list[Finding]:
    """Find classes without a single object in a part that has images.

    A test set without any, as competitions have it, is one note.
    """
    if not split.images:
        return []
    counts = Counter(name for _, name, _ in _named(split))
    training = split.split == 'train'
    if split.split == 'test' and not counts:
        return [
            Finding(
                code='no-truth',
                severity='note',
                message='nothing is annotated: it cannot be measured on this set',
                hint='tools/test.py --out keeps what is predicted, for tools/submit.py',
                split=split.split,
                file=split.source,
            )
        ]
    detects = any(image.label is None for image in split.images)
    what, measure = ('box', 'AP') if detects else ('image', 'recall and F1')
    return [
        Finding(
            code='class-without-box',
            severity='error' if training else 'warning',
            message=f'no {what} of class {name!r}',
            hint='split again so that each class is in each part, or take the class '
            'out of the list'
            if training
            else f'its {measure} cannot be measured here; split again',
            split=split.split,
            file=split.source,
        )
        for name in split.classes
        if not counts[name]
    ]


def check_file_names(splits: Sequence[SplitRecords]) -> list[Finding]:
    """Find labels unlike the class that the file's name begins with.

    Only where most files are called after a class of theirs.
    """
    classes = list(dict.fromkeys(name for split in splits for name in split.classes))
    findings = []
    files = agreeing = 0
    for split in splits:
        for image in split.images:
            called = _called_after(image, classes)
            labels = {box.name for box in image.boxes} | {image.label} - {None}
            if not called or not labels:
                continue
            files += 1
            agreeing += called in labels
            findings += _odd_names(split, image, called)
    total = sum(len(split.images) for split in splits)
    return findings if agreeing >= NAMED_BY_CLASS * max(total, 1) else []


def _odd_names(split: SplitRecords, image: ImageRecord, called: str) -> list[Finding]:
    named: list[tuple[str | None, int | None]] = [
        (b.name, b.index) for b in image.boxes
    ]
    if image.label is not None:
        named.append((image.label, None))
    return [
        Finding(
            code='file-name-differs',
            severity='note',
            message=f'{name!r} in an image called {os.path.basename(image.name)}',
            hint='right where an image holds several classes; otherwise a wrong label',
            split=split.split,
            file=image.annotation if index is not None else image.image,
            object=index,
        )
        for name, index in named
        if name != called
    ]


def _called_after(image: ImageRecord, classes: Sequence[str]) -> str | None:
    stem = _squeeze(os.path.basename(image.name))
    fitting = [name for name in classes if stem.startswith(_squeeze(name))]
    return max(fitting, key=len, default=None)


def _named(split: SplitRecords) -> Iterator[tuple[ImageRecord, str, int | None]]:
    for image in split.images:
        if image.label is not None:
            yield image, image.label, None
        for box in image.boxes:
            yield image, box.name, box.index


def _squeeze(name: str) -> str:
    return re.sub(r'[\s_-]+', '', name).casefold()


def check_file_claims(split: SplitRecords) -> list[Finding]:
    """Find annotations whose ``<filename>`` is not that of their image."""
    findings = []
    for image in split.images:
        claim = (image.filename or '').replace('\\', '/').rpartition('/')[2]
        if image.image is None or not claim:
            continue
        name = os.path.basename(image.image)
        if claim in (name, without_suffix(name)):
            continue
        same = without_suffix(claim) == without_suffix(name)
        findings.append(
            Finding(
                code='wrong-filename',
                severity='note' if same else 'warning',
                message=f'<filename> is {claim!r}, the image is {name!r}',
                hint='the image beside it is taken'
                if same
                else 'are these the boxes of the other? the image beside it is taken',
                split=split.split,
                file=image.annotation,
            )
        )
    return findings


def check_unlisted(
    sources: Sequence[Source], splits: Sequence[SplitRecords]
) -> list[Finding]:
    """Find images and XML files in the folders that no list names.

    Args:
        sources: The data sets of a config.
        splits: Their records, in the same order.
    """
    findings: list[Finding] = []
    folders: dict[tuple[str, str], set[str]] = {}
    for source, split in zip(sources, splits, strict=True):
        if source.kind == 'voc':
            images, annotations = (
                os.path.join(source.root, source.settings[key])
                for key in ('img_subdir', 'ann_subdir')
            )
            listed = folders.setdefault((images, annotations), set())
            listed |= {image.name for image in split.images}
    for (images, annotations), listed in folders.items():
        if listed:
            findings += _unlisted(images, annotations, listed)
    return findings


def _unlisted(images: str, annotations: str, listed: set[str]) -> list[Finding]:
    index = ImageIndex(images)
    stems = set(index.stems())
    files = os.listdir(annotations) if os.path.isdir(annotations) else []
    annotated = {name[:-4] for name in files if name.endswith('.xml')}
    findings = [
        Finding(
            code='no-image',
            severity='warning',
            message='in no list, and there is no image of that name',
            hint='was the image lost, or renamed?',
            file=os.path.join(annotations, f'{name}.xml'),
        )
        for name in sorted(annotated - stems - listed)
        if not _is_there(index, name)
    ]
    for name in sorted(stems - listed):
        has = 'has an XML file' if name in annotated else 'has no XML file'
        findings.append(
            Finding(
                code='unlisted-image',
                severity='note',
                message=f'in no list; it {has}',
                hint='split again to use it',
                file=os.path.join(images, name),
            )
        )
    return findings


def _is_there(index: ImageIndex, name: str) -> bool:
    try:
        index.find(name)
    except UserError:
        return False
    return True


def check_origins(
    sources: Sequence[Source], splits: Sequence[SplitRecords]
) -> list[Finding]:
    """Find a ``sources.txt`` that can't be read, or that lacks images of a split.

    Args:
        sources: The data sets of a config.
        splits: Their records.
    """
    images = [
        (split.split, image.image)
        for split in splits
        for image in split.images
        if image.image is not None
    ]
    try:
        found = find_sources([path for _, path in images])
    except UserError as error:
        return [
            Finding(
                code='broken-sources',
                severity='error',
                message=str(error),
                hint='one image or folder a line, a tab, and the name of its source',
            )
        ]
    if not any(found) and not any(
        os.path.isfile(os.path.join(source.root, FILE)) for source in sources
    ):
        return []
    counts = Counter(split for split, _ in images)
    lost = Counter(
        split for (split, _), name in zip(images, found, strict=True) if not name
    )
    return [
        Finding(
            code='unknown-source',
            severity='warning',
            message=f'{FILE} names the source of {counts[split] - count} of '
            f'{counts[split]} images',
            hint='the others are in no row of their own in the report',
            split=split,
        )
        for split, count in lost.items()
    ]
