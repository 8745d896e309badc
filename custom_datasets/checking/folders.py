"""Checks of the files of a data set in VOC layout: names, and who lacks whom."""

import os
from collections.abc import Sequence

from custom_datasets.checking.finding import Finding
from custom_datasets.checking.sources import Source
from custom_datasets.errors import UserError
from custom_datasets.images import ImageIndex, without_suffix
from custom_datasets.records import SplitRecords


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
