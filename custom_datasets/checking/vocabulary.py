"""Checks of class names: those in the data against those in the config."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from custom_datasets.checking.finding import Finding
from custom_datasets.class_names import nearest_class
from custom_datasets.records import ImageRecord, SplitRecords

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
