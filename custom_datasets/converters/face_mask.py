"""Split lists for the face mask set, which comes without any."""

import os
from collections import Counter
from collections.abc import Sequence

from custom_datasets.class_names import UnknownClasses
from custom_datasets.converters.files import changed_folder, write_text
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
    read. All three lists are replaced at once, or none.

    Args:
        root: Folder with ``images`` and ``annotations``.
        classes: Names that the annotations may use, and must.
        out: A folder to write to where ``root`` is read-only; it also gets
            links to ``images`` and ``annotations``. Defaults to ``root``.
        seed: Another seed gives another split.
        overwrite: Replace other lists that are already there.

    Returns:
        A table of images and boxes in each part, and a line on images
        without XML, which are in none.

    Raises:
        UserError: ``root`` has no annotations, different lists are there, or
            the lists can't be written.
        AnnotationError: With every broken file, missing image, unknown class
            and class without a box.
    """
    boxes, images, unused = _read(root, classes)
    presence = {name: dict.fromkeys(counts, 1) for name, counts in boxes.items()}
    digests = {name: file_digest(path) for name, path in images.items()}
    parts = split_by_class(presence, RATIOS, digests, seed)
    target = out or root
    folder = os.path.join(target, 'ImageSets', 'Main')
    lists = {
        f'{part}.txt': ''.join(f'{name}\n' for name in names)
        for part, names in parts.items()
    }
    same = all(_has_text(os.path.join(folder, n), text) for n, text in lists.items())
    there = [n for n in lists if os.path.lexists(os.path.join(folder, n))]
    if there and not same and not overwrite:
        path = os.path.join(folder, there[0])
        raise UserError(f'{path}: another split is there; --overwrite replaces it')
    if os.path.realpath(target) != os.path.realpath(root):
        _link(root, target)
    if not same:
        with changed_folder(folder) as changed:
            for name, text in lists.items():
                write_text(os.path.join(changed, name), text)
    note = f'\n{unused} images without XML left out' if unused else ''
    return class_table(boxes, parts) + note


def _read(
    root: str, classes: Sequence[str]
) -> tuple[dict[str, Counter[str]], dict[str, str], int]:
    """Return boxes and image path by name, and how many images have no XML."""
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
        try:
            images[name] = index.find(name, annotation.filename)
        except UserError as error:
            problems.append(str(error))
        boxes[name] = Counter(label for label, _, _ in annotation.objects)
        for other in sorted(set(boxes[name]) - set(classes)):
            unknown.add(other, path)
    problems += unknown.problems()
    found = sum(boxes.values(), Counter())
    if boxes:
        problems += [f'no box of class {c}' for c in classes if not found[c]]
    elif not problems:
        problems.append('no XML file in it')
    if problems:
        raise AnnotationError(folder, problems)
    used = {os.path.splitext(os.path.basename(path))[0] for path in images.values()}
    return boxes, images, len(set(index.stems()) - used)


def _link(root: str, out: str) -> None:
    for folder in ('images', 'annotations'):
        link = os.path.join(out, folder)
        target = os.path.realpath(os.path.join(root, folder))
        if os.path.realpath(link) == target:
            continue
        if os.path.lexists(link):
            raise UserError(f'{link}: already there and not a link to {target}')
        try:
            os.makedirs(out, exist_ok=True)
            os.symlink(target, link)
        except OSError as error:
            raise UserError(f'{link}: cannot be made ({error.strerror})') from error


def _has_text(path: str, text: str) -> bool:
    try:
        with open(path, 'rb') as file:
            return file.read() == text.encode()
    except OSError:
        return False
