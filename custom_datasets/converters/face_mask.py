"""Split lists for the face mask set, which comes without any."""

import os
from collections import Counter
from collections.abc import Sequence

from custom_datasets.class_names import UnknownClasses
from custom_datasets.converters.files import write_text
from custom_datasets.converters.splits import class_table, file_digest, split_by_class
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.images import ImageIndex
from custom_datasets.voc_xml import parse_voc_xml

RATIOS = {'train': 8, 'val': 1, 'test': 1}


def write_split(
    root: str,
    classes: Sequence[str],
    *,
    out: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> str:
    """Write ``ImageSets/Main/{train,val,test}.txt``, 8:1:1.

    The split is stratified by the images that each class is in, and
    byte-identical images stay in one part. Images and annotations are only
    read.

    Args:
        root: Folder with ``images`` and ``annotations``.
        classes: Names that the annotations may use.
        out: A folder to write to where ``root`` is read-only; it also gets
            links to ``images`` and ``annotations``. Defaults to ``root``.
        seed: Another seed gives another split.
        overwrite: Replace other lists that are already there.

    Returns:
        A table of images and boxes in each part.

    Raises:
        UserError: ``root`` has no annotations, or different lists are there.
        AnnotationError: With every broken file, missing image and unknown
            class.
    """
    boxes, images = _read(root, classes)
    presence = {name: dict.fromkeys(counts, 1) for name, counts in boxes.items()}
    digests = {name: file_digest(path) for name, path in images.items()}
    parts = split_by_class(presence, RATIOS, digests, seed)
    target = out or root
    lists = {
        os.path.join(target, 'ImageSets', 'Main', f'{part}.txt'): '\n'.join(names)
        + '\n'
        for part, names in parts.items()
    }
    for path, text in lists.items():
        if not overwrite and os.path.exists(path) and _read_text(path) != text:
            raise UserError(f'{path}: another split is there; give --overwrite')
    if out and os.path.abspath(out) != os.path.abspath(root):
        _link(root, out)
    for path, text in lists.items():
        write_text(path, text)
    return class_table(boxes, parts)


def _read(
    root: str, classes: Sequence[str]
) -> tuple[dict[str, Counter[str]], dict[str, str]]:
    folder = os.path.join(root, 'annotations')
    if not os.path.isdir(folder):
        raise UserError(f'{folder}: no such folder; give the one that images/ is in')
    index = ImageIndex(os.path.join(root, 'images'))
    boxes: dict[str, Counter[str]] = {}
    images: dict[str, str] = {}
    problems: list[str] = []
    unknown = UnknownClasses(classes)
    for file in sorted(os.listdir(folder)):
        name, suffix = os.path.splitext(file)
        if suffix.lower() != '.xml':
            continue
        path = os.path.join(folder, file)
        try:
            annotation = parse_voc_xml(path)
        except UserError as error:
            problems.append(f'{path}: {error}')
            continue
        image = index.find(name, annotation.filename)
        if image is None:
            problems.append(f'{index.root}/{name}.*: no such image')
            continue
        boxes[name] = Counter(obj.name for obj in annotation.objects)
        for other in sorted(set(boxes[name]) - set(classes)):
            unknown.add(other, path)
        images[name] = image
    problems += unknown.problems()
    if problems:
        raise AnnotationError(folder, problems)
    return boxes, images


def _link(root: str, out: str) -> None:
    os.makedirs(out, exist_ok=True)
    for folder in ('images', 'annotations'):
        link = os.path.join(out, folder)
        target = os.path.abspath(os.path.join(root, folder))
        if not os.path.lexists(link):
            os.symlink(target, link)
        elif os.path.realpath(link) != os.path.realpath(target):
            raise UserError(f'{link}: already there and not a link to {target}')


def _read_text(path: str) -> str:
    with open(path, encoding='utf-8') as file:
        return file.read()
