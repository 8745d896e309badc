"""Writing split lists: all of them or none, and nothing else replaced."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from custom_datasets.data.folders import find_classes, read_labels
from custom_datasets.data.images import without_suffix
from custom_datasets.data.names import (
    UnknownClasses,
    class_problems,
    read_lines,
    spell_path,
)
from custom_datasets.data.opening import open_file
from custom_datasets.data.problems import refused
from custom_datasets.data.reading import Reading
from custom_datasets.data.tree import Tree
from custom_datasets.data.voc import VOCFolder, boxes_inside
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.files import replace_texts


def write_lists(
    folder: str,
    lists: Mapping[str, str | None],
    *,
    overwrite: bool = False,
    protected: Iterable[str] = (),
) -> None:
    """Write lists into a folder, all or none; content None removes a list.

    Raises a UserError where a list that differs exists and ``overwrite`` is not set, or
    it is ``protected``; then everything is as it was.
    """
    changed = {
        name: text
        for name, text in lists.items()
        if not has_content(os.path.join(folder, name), text)
    }
    kept = {os.path.realpath(path) for path in protected}
    for name in changed:
        path = os.path.join(folder, name)
        if os.path.realpath(path) in kept:
            raise UserError(f'{path}: is what is split; name another folder by --out')
    require_unlisted(folder, changed, overwrite)
    if changed:
        replace_texts(folder, changed)


def require_unlisted(folder: str, names: Iterable[str], overwrite: bool) -> None:
    """Raise a UserError if one of the files exists and is not to be replaced."""
    for name in () if overwrite else names:
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            raise UserError(f'{path}: another split exists; --overwrite replaces it')


def has_content(path: str, text: str | None) -> bool:
    """Return whether a file holds ``text``; with None, whether it does not exist."""
    if text is None:
        return not os.path.lexists(path)
    try:
        with open_file(path) as file:
            return file.read() == text.encode()
    except OSError:
        return False


def link_folders(folder: str, targets: Mapping[str, str]) -> None:
    """Link each name in a folder to its target; raise a UserError if it is taken."""
    wanted = {
        os.path.join(folder, name): os.path.realpath(path)
        for name, path in targets.items()
    }
    missing = {
        link: target
        for link, target in wanted.items()
        if os.path.realpath(link) != target
    }
    for link, target in missing.items():
        if os.path.lexists(link):
            raise UserError(f'{link}: already exists and is not a link to {target}')
    for link, target in missing.items():
        try:
            os.makedirs(folder, exist_ok=True)
            os.symlink(target, link)
        except OSError as error:
            raise UserError(f'{link}: cannot be made ({error.strerror})') from error


_UNLISTABLE = re.compile(r'[\n\r\ud800-\udfff]|^\ufeff|^\s|\s$|\s\t|\t\s|\t.*\t')
"""In a line of a list: what ends it, or is not UTF-8, or would be stripped off."""

Listed = tuple[dict[str, Counter[str]], dict[str, str | None]]
"""Labels and image file of some images, by name."""


@dataclass(frozen=True)
class SplitSource:
    """A data set that is to be split.

    Attributes:
        root: The ``data_root`` of a config.
        folder: Where the lists go, under ``root``.
        labels: For each image's name the number of boxes of each class; in
            classification one of its own class.
        render: Turns names into the content of a list.
        read: Returns labels and image files of what another list names.
        linked: Folders, by name, that lists written elsewhere need beside them.
        file: The one file with all annotations, where there is one.
        notes: What was left out, with counts; ``remarks`` say it in sentences.
    """

    root: str
    folder: str
    suffix: str
    labels: dict[str, Counter[str]]
    images: dict[str, str | None]
    render: Callable[[Iterable[str]], str]
    read: Callable[[str], Listed]
    linked: Mapping[str, str]
    file: str | None = None
    has_boxes: bool = True
    notes: Counter[str] = field(default_factory=Counter)
    remarks: tuple[str, ...] = ()


def split_voc_folder(
    root: str, folders: tuple[str, str], classes: Sequence[str] | None = None
) -> SplitSource:
    """Return the images of a folder in VOC layout that have an XML file.

    ``folders`` names those of images and of XML files. An AnnotationError has all that
    a data set would refuse, each unknown class and each class without a box.
    """
    images, annotations = (os.path.join(root, folder) for folder in folders)
    folder = VOCFolder(images, annotations, one_based=True)
    records, found, foreign = folder.read_all()
    problems = [str(problem) for problem in refused(found)]
    problems += _unlistable({record.name: _voc_line(record.name) for record in records})
    unknown = UnknownClasses(classes or ())
    notes: Counter[str] = Counter()
    labels: dict[str, Counter[str]] = {}
    for record in records:
        boxes = boxes_inside(record, one_based=True)
        labels[record.name] = Counter(box.name for box in boxes)
        notes['boxes without area not counted'] += len(record.boxes) - len(boxes)
        for name in sorted(set(labels[record.name]) - set(classes or ())):
            if classes is not None:
                unknown.add(name, str(record.annotation))
    problems += unknown.problems()
    counts = sum(labels.values(), Counter())
    if labels:
        problems += [f'no box of class {c}' for c in classes or () if not counts[c]]
    elif not problems:
        problems.append('no XML file of an image in it')
    if problems:
        raise AnnotationError(annotations, problems)
    used = {without_suffix(os.path.basename(str(r.image))) for r in records}
    notes['images without XML left out'] = len(set(folder.images.stems()) - used)
    notes['XML files that are no annotations left out'] = len(foreign)
    paths = {record.name: record.image for record in records}
    return SplitSource(
        root=root,
        folder=os.path.join('ImageSets', 'Main'),
        suffix='.txt',
        labels=labels,
        images=paths,
        render=lambda names: ''.join(f'{_voc_line(name)}\n' for name in names),
        read=lambda path: choose_listed(
            path, map(folder.name_of, _lines(path)), labels, paths
        ),
        linked={name: os.path.join(root, name) for name in folders},
        notes=notes,
    )


def split_class_folders(root: str) -> SplitSource:
    """Return images in one folder per class, or in such folders for each part."""
    tree, reading = Tree(root), Reading()
    if tree.root != os.path.normpath(root) and not find_classes(tree):
        tree = Tree(root, descend=False)
    layout, classes = read_labels(tree, reading)
    names = sorted(set(classes.values()))
    if len(names) < 2:
        what = f'images of one class only ({names[0]})' if names else 'no images'
        raise UserError(
            f'{root}: {what} in its folders, and neither VOC folders (Annotations and '
            'JPEGImages) nor a COCO JSON; give the folder that holds the class '
            'folders; tools/dataset_converters/convert.py makes them of other layouts'
        )
    root = tree.root
    lines = {path: f'{path}\t{name}' for path, name in classes.items()}
    if problems := class_problems(names) or _unlistable(lines):
        raise AnnotationError(root, problems)
    labels = {path: Counter([name]) for path, name in classes.items()}
    images: dict[str, str | None] = {path: tree.path(path) for path in labels}
    return SplitSource(
        root=root,
        folder='',
        suffix='.txt',
        labels=labels,
        images=images,
        render=lambda names: ''.join(f'{lines[name]}\n' for name in names),
        read=lambda path: choose_listed(
            path, _classified(path, root, classes), labels, images
        ),
        linked={
            name: os.path.join(root, name) for name in (*layout.parts, *layout.classes)
        },
        has_boxes=False,
        remarks=tuple(reading.notes),
    )


def choose_listed(
    where: str,
    names: Iterable[str],
    labels: Mapping[str, Counter[str]],
    images: Mapping[str, str | None],
) -> Listed:
    """Return labels and image files of listed names; all must be in the data set."""
    counts = Counter(names)
    problems = [f'{name} is listed {n} times' for name, n in counts.items() if n > 1]
    problems += [
        f'{name}: not in the data set' for name in counts if name not in labels
    ]
    if problems:
        raise AnnotationError(where, problems)
    listed = list(counts)
    return {n: labels[n] for n in listed}, {n: images[n] for n in listed}


def _classified(path: str, root: str, classes: Mapping[str, str]) -> list[str]:
    """Return the images of a list that may have their classes, those of the folders."""
    images, problems = [], []
    for number, line in read_lines(path):
        name, *labels = (piece.strip() for piece in line.split('\t'))
        name = spell_path(name, root)
        images.append(name)
        if len(labels) > 1:
            problems.append(f'line {number}: more than one tab')
        elif labels and labels[0] != classes.get(name, labels[0]):
            text = f'{name} is {labels[0]} here, but in the folder of {classes[name]}'
            problems.append(f'line {number}: {text}')
    if problems:
        raise AnnotationError(path, problems)
    return images


def _unlistable(lines: Mapping[str, str]) -> list[str]:
    return [
        f'{name!r}: no list can hold this name; rename it'
        for name, line in lines.items()
        if _UNLISTABLE.search(line)
    ]


def _lines(path: str) -> list[str]:
    return [line for _, line in read_lines(path)]


def _voc_line(name: str) -> str:
    # The suffix keeps the data set from taking one off the name itself.
    return name if without_suffix(name) == name else f'{name}.xml'
