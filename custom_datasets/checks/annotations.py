"""Checks of what is annotated: boxes, class names, and the files around them."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from custom_datasets.checks.codes import HELD_OUT, find
from custom_datasets.data.config_sources import Source
from custom_datasets.data.image_kinds import IMAGE_SUFFIXES
from custom_datasets.data.images import without_suffix
from custom_datasets.data.names import advise
from custom_datasets.data.origins import FILE, find_sources
from custom_datasets.data.problems import Finding
from custom_datasets.data.records import (
    BoxRecord,
    ImageRecord,
    SplitRecords,
    has_area,
    iou,
)
from custom_datasets.data.tree import FileIndex
from custom_datasets.data.voc import boxes_inside, clip_box
from custom_datasets.errors import UserError
from custom_datasets.text import counted

OVERLAP = 0.9
"""IoU above which two boxes of a class are taken for one object."""

ROUNDING = 2
"""Pixels beyond the image that rounding, or counting from 1, explains."""

CELL = 8
"""Pixels of a cell of the finest level that FPN detectors look at (stride 8)."""

NAMED_BY_CLASS = 0.8
"""Share of files named after their class above which an exception is odd."""

Sizes = Mapping[str, tuple[int, int]]


def check_annotations(splits: Sequence[SplitRecords], sizes: Sizes) -> list[Finding]:
    """Run the checks that need only annotations, and sizes of images.

    Sizes are width and height in pixels by image path. Of an image without one, only
    what is wrong by itself is found.
    """
    findings: list[Finding] = []
    for split in splits:
        findings += check_names(split)
        findings += check_presence(split)
        findings += check_boxes(split, sizes)
        findings += check_file_claims(split)
        findings += check_predicted(split)
    return [*findings, *check_file_names(splits)]


def check_boxes(split: SplitRecords, sizes: Sizes) -> list[Finding]:
    """Find boxes without an area, outside, clipped, too small, or annotated twice."""
    findings: list[Finding] = []
    for image in split.images:
        size = sizes.get(image.image or '')
        for box in image.boxes:
            findings += _extent(split, image, box, size)
            findings += _area(split, image, box)
        if len(image.boxes) > 1:
            findings += _repeats(split, image)
    return findings


def check_predicted(split: SplitRecords) -> list[Finding]:
    """Find files of annotations that are as a model predicted them."""
    total = Counter(image.annotation for image in split.images)
    counts = Counter((i.annotation, i.origin) for i in split.images if i.origin)
    return [
        find(
            'predicted-labels',
            f'marked as {origin}'
            if total[file] == 1
            else f'{count} of {counted(total[file], "images")} marked as {origin}',
            split=split.split,
            file=file,
        )
        for (file, origin), count in counts.items()
    ]


def check_names(split: SplitRecords) -> list[Finding]:
    """Find objects and images of a class that the data set does not know."""
    classes = set(split.classes) | split.ignored
    advice: dict[str, str] = {}
    findings = []
    for image, name, index in _named(split):
        if name in classes:
            continue
        if name not in advice:
            advice[name] = advise(name, split.classes)
        findings.append(
            find(
                'unknown-class',
                f'unknown class {name!r}; {advice[name]}',
                split=split.split,
                file=image.annotation,
                object=index,
            )
        )
    names = list(dict.fromkeys(name for _, name, _ in _named(split)))
    if names and classes.isdisjoint(names):
        findings.append(
            find(
                'other-vocabulary',
                'not one object is of a known class; the data have '
                f'{", ".join(map(repr, names))}, the config '
                f'{", ".join(map(repr, split.classes))}',
                hint=f'set classes={names} (--cfg-options or a line in the leaf), if '
                'this is the data set that was meant',
                split=split.split,
                file=split.source,
            )
        )
    return findings


def check_presence(split: SplitRecords) -> list[Finding]:
    """Find classes without a single object in a part that has images.

    Boxes without an area, which a data set drops, are none. A test set without any, as
    competitions have it, is one note.
    """
    if not split.images:
        return []
    counts: Counter[str] = Counter()
    for image in split.images:
        counts.update(box.name for box in boxes_inside(image, split.one_based))
        if image.label is not None:
            counts[image.label] += 1
    if split.split == 'test' and not counts:
        text = 'nothing is annotated: nothing can be measured on this set'
        return [find('no-truth', text, split=split.split, file=split.source)]
    what = 'box' if any(image.label is None for image in split.images) else 'image'
    case = '' if split.split == 'train' else HELD_OUT
    return [
        find(
            'class-without-box',
            f'no {what} of class {name!r}',
            case=case,
            split=split.split,
            file=split.source,
        )
        for name in split.classes
        if not counts[name]
    ]


def check_file_claims(split: SplitRecords) -> list[Finding]:
    """Find annotations whose ``<filename>`` is not that of their image."""
    findings = []
    for image in split.images:
        claim = (image.filename or '').replace('\\', '/').rpartition('/')[2]
        name = os.path.basename(image.image or '')
        if not name or not claim or claim in (name, without_suffix(name)):
            continue
        findings.append(
            find(
                'wrong-filename',
                f'<filename> is {claim!r}, the image is {name!r}',
                case='only the suffix differs'
                if without_suffix(claim) == without_suffix(name)
                else '',
                split=split.split,
                file=image.annotation,
            )
        )
    return findings


def check_file_names(splits: Sequence[SplitRecords]) -> list[Finding]:
    """Find labels unlike the class that the file's name begins with.

    Only where most files are named after a class of theirs.
    """
    classes = list(dict.fromkeys(name for split in splits for name in split.classes))
    findings = []
    agreeing = 0
    for split in splits:
        for image in split.images:
            named_after = _named_after(image, classes)
            names = list(_names_of(image))
            if not named_after or not names:
                continue
            agreeing += any(name == named_after for name, _ in names)
            findings += [
                find(
                    'file-name-differs',
                    f'{name!r} in an image called {os.path.basename(image.name)}',
                    split=split.split,
                    file=image.image if index is None else image.annotation,
                    object=index,
                )
                for name, index in names
                if name != named_after
            ]
    images = sum(len(split.images) for split in splits)
    return findings if agreeing >= NAMED_BY_CLASS * max(images, 1) else []


def check_unlisted(
    sources: Sequence[Source], splits: Sequence[SplitRecords]
) -> list[Finding]:
    """Find images and XML files in the folders that no list names."""
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


def check_origins(
    sources: Sequence[Source], splits: Sequence[SplitRecords]
) -> list[Finding]:
    """Find a ``sources.txt`` that can't be read, or does not name a split's images."""
    images = [
        (split.split, image.image)
        for split in splits
        for image in split.images
        if image.image is not None
    ]
    try:
        origins = find_sources([path for _, path in images])
    except UserError as error:
        return [find('broken-sources', str(error))]
    if not any(origins) and not any(
        os.path.isfile(os.path.join(source.root, FILE)) for source in sources
    ):
        return []
    totals = Counter(split for split, _ in images)
    unknown = Counter(
        split for (split, _), origin in zip(images, origins, strict=True) if not origin
    )
    return [
        find(
            'unknown-source',
            f'{FILE} names the source of {totals[split] - count} of {totals[split]} '
            'images',
            split=split,
        )
        for split, count in unknown.items()
    ]


def _extent(
    split: SplitRecords,
    image: ImageRecord,
    box: BoxRecord,
    size: tuple[int, int] | None,
) -> list[Finding]:
    x1, y1, x2, y2 = box.box
    if not has_area(box.box, int(split.one_based)):
        if x2 < x1 or y2 < y1:
            message = 'its maximum is below its minimum'
            return [_find('inverted-box', split, image, box, message)]
        return [_find('zero-area-box', split, image, box, 'it has no area')]
    if size is None:
        return []
    inside, clipped = clip_box(box.box, size, split.one_based)
    where = f'the image has {size[0]}x{size[1]} pixels'
    if inside is None:
        message = f'it is outside the image: {where}'
        return [_find('outside-box', split, image, box, message)]
    if not clipped:
        return []
    start = int(split.one_based)
    beyond = max(start - x1, start - y1, x2 - size[0], y2 - size[1])
    message = f'it reaches {beyond:g} px beyond the image: {where}'
    case = 'by at most 2 px' if beyond <= ROUNDING else ''
    return [_find('clipped-box', split, image, box, message, case)]


def _area(split: SplitRecords, image: ImageRecord, box: BoxRecord) -> list[Finding]:
    x1, y1, x2, y2 = box.box
    width, height = x2 - x1 + split.one_based, y2 - y1 + split.one_based
    if not has_area(box.box, int(split.one_based)) or width * height >= CELL * CELL:
        return []
    message = f'it is {width:g}x{height:g} px in the image, unscaled'
    return [_find('small-area', split, image, box, message)]


def _repeats(split: SplitRecords, image: ImageRecord) -> list[Finding]:
    findings = []
    firsts: dict[tuple[float, ...], BoxRecord] = {}
    for box in image.boxes:
        first = firsts.setdefault(box.box, box)
        if first is box:
            continue
        if first.name == box.name:
            message = f'the same as object {first.index}'
            findings.append(_find('duplicate-object', split, image, box, message))
        else:
            message = f'object {first.index} has the same box and is {first.name}'
            findings.append(_find('two-classes', split, image, box, message))
    boxes = list(firsts.values())
    edges = np.array([box.box for box in boxes], np.float64)
    edges[:, :2] -= split.one_based
    names = np.array([box.name for box in boxes])
    same_class = names[:, None] == names[None]
    overlaps = np.triu(iou(edges[:, None], edges) > OVERLAP, 1)
    for i, j in np.argwhere(overlaps & same_class):
        message = f'overlaps object {boxes[i].index} by more than {OVERLAP:g}'
        findings.append(_find('overlapping-objects', split, image, boxes[j], message))
    return findings


def _find(
    code: str,
    split: SplitRecords,
    image: ImageRecord,
    box: BoxRecord,
    message: str,
    case: str = '',
) -> Finding:
    sides = ', '.join(f'{side:g}' for side in box.box)
    return find(
        code,
        f'{box.name} ({sides}): {message}',
        case=case,
        split=split.split,
        file=image.annotation,
        object=box.index,
    )


def _named(split: SplitRecords) -> Iterator[tuple[ImageRecord, str, int | None]]:
    for image in split.images:
        for name, index in _names_of(image):
            yield image, name, index


def _names_of(image: ImageRecord) -> Iterator[tuple[str, int | None]]:
    if image.label is not None:
        yield image.label, None
    for box in image.boxes:
        yield box.name, box.index


def _named_after(image: ImageRecord, classes: Sequence[str]) -> str | None:
    stem = _squeeze(os.path.basename(image.name))
    fitting = [name for name in classes if stem.startswith(_squeeze(name))]
    return max(fitting, key=len, default=None)


def _squeeze(name: str) -> str:
    return re.sub(r'[\s_-]+', '', name).casefold()


def _unlisted(images: str, annotations: str, listed: set[str]) -> list[Finding]:
    index = FileIndex(images, IMAGE_SUFFIXES)
    stems = set(index.stems())
    files = os.listdir(annotations) if os.path.isdir(annotations) else []
    annotated = {name[:-4] for name in files if name.lower().endswith('.xml')}
    findings = [
        find(
            'no-image',
            'in no list, and there is no image of that name',
            file=os.path.join(annotations, f'{name}.xml'),
        )
        for name in sorted(annotated - stems - listed)
        if not index.find(name)
    ]
    for name in sorted(stems - listed):
        text = f'in no list; it has {"an" if name in annotated else "no"} XML file'
        findings.append(find('unlisted-image', text, file=os.path.join(images, name)))
    return findings
