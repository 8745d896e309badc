"""Writing split lists: all of them or none, and nothing else replaced."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from custom_datasets.data.folders import find_layout
from custom_datasets.data.images import IMAGE_SUFFIXES, ImageIndex, without_suffix
from custom_datasets.data.names import UnknownClasses, read_lines
from custom_datasets.data.tree import is_junk
from custom_datasets.data.voc import VOCAnnotation, parse_voc_xml
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.files import replace_texts


def write_lists(
    folder: str,
    lists: Mapping[str, str | None],
    *,
    overwrite: bool = False,
    protected: Iterable[str] = (),
) -> None:
    """Write lists into a folder, in one go.

    Args:
        folder: Made if it is not there.
        lists: The content of each file, by its path in ``folder``; None for
            one that must not be there.
        overwrite: Replace or remove lists that are there and differ.
        protected: Files that are never replaced.

    Raises:
        UserError: A list that differs is there and not to be replaced, or a
            file can't be written. Then everything is as it was.
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
    """Raise a UserError if one of the files is there and not to be replaced."""
    for name in () if overwrite else names:
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            raise UserError(f'{path}: another split is there; --overwrite replaces it')


def has_content(path: str, text: str | None) -> bool:
    """Return whether a file holds ``text``; with None, whether it is not there."""
    if text is None:
        return not os.path.lexists(path)
    try:
        with open(path, 'rb') as file:
            return file.read() == text.encode()
    except OSError:
        return False


def link_folders(folder: str, targets: Mapping[str, str]) -> None:
    """Make links in a folder, unless they are there.

    Args:
        folder: Made if it is not there.
        targets: The folder that each name leads to.

    Raises:
        UserError: Something else has the name, or it can't be made.
    """
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
            raise UserError(f'{link}: already there and not a link to {target}')
    for link, target in missing.items():
        try:
            os.makedirs(folder, exist_ok=True)
            os.symlink(target, link)
        except OSError as error:
            raise UserError(f'{link}: cannot be made ({error.strerror})') from error


_UNLISTABLE = re.compile(r'[\n\r\ud800-\udfff]|^\s|\s\t|\t.*\t')
"""In a line of a list: what ends it, or is not UTF-8, or would be stripped."""

Listed = tuple[dict[str, Counter[str]], dict[str, str | None]]
"""Labels and image file of some images, by name."""


@dataclass(frozen=True)
class SplitSource:
    """A data set that is to be split.

    Attributes:
        root: Its folder, which is the ``data_root`` of a config.
        folder: Where its lists go, under ``root``.
        suffix: Of the lists.
        labels: For each image's name the number of boxes of each class; in
            classification one of its own class.
        images: The image file of each name; None where there is none.
        render: Turns names into the content of a list.
        read: Returns labels and image files of what another list names.
        linked: Folders that lists elsewhere need beside them, by their name.
        file: The one file that has all annotations, where there is one.
        has_boxes: Whether there are several labels an image.
        notes: What was left out, with counts.
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


def find_voc_folders(root: str) -> tuple[str, str] | None:
    """Return the folders of XML files and of images, or None where it has none."""
    folders: dict[str, str] = {}
    for name in sorted(os.listdir(root)):
        if os.path.isdir(os.path.join(root, name)):
            folders.setdefault(name.lower(), name)
    xml = folders.get('annotations')
    images = folders.get('jpegimages') or folders.get('images')
    if not xml or not images:
        return None
    has_xml = any(name.lower().endswith('.xml') for name in _files(root, xml))
    return (xml, images) if has_xml else None


def read_voc_folder(
    root: str,
    folders: tuple[str, str],
    classes: Sequence[str] | None = None,
) -> SplitSource:
    """Read every XML file of a folder in VOC layout.

    Args:
        root: Folder of everything.
        folders: Names of the folders of XML files and of images.
        classes: Names that the files may use, and must; None allows any.

    Raises:
        AnnotationError: With every broken file, missing image, unknown class
            and class without a box.
    """
    folder, index = os.path.join(root, folders[0]), ImageIndex(f'{root}/{folders[1]}')
    labels: dict[str, Counter[str]] = {}
    images: dict[str, str | None] = {}
    problems: list[str] = []
    unknown = UnknownClasses(classes or ())
    notes: Counter[str] = Counter()
    for file in _files(root, folders[0]):
        name, suffix = os.path.splitext(file.partition('/')[2])
        if suffix.lower() != '.xml':
            continue
        path = os.path.join(root, file)
        try:
            annotation = parse_voc_xml(path)
        except UserError as error:
            problems.append(f'{path}: {error}')
            continue
        try:
            images[name] = index.find(name, annotation.filename)
        except UserError as error:
            problems.append(str(error))
        labels[name] = _with_area(annotation, notes)
        for other in sorted(set(labels[name]) - set(classes or labels[name])):
            unknown.add(other, path)
    problems += unknown.problems()
    found = sum(labels.values(), Counter())
    if labels:
        problems += [f'no box of class {c}' for c in classes or () if not found[c]]
    elif not problems:
        problems.append('no XML file in it')
    if problems:
        raise AnnotationError(folder, problems)
    used = {
        os.path.splitext(os.path.basename(path or ''))[0] for path in images.values()
    }
    notes['images without XML left out'] = len(set(index.stems()) - used)
    return SplitSource(
        root=root,
        folder=os.path.join('ImageSets', 'Main'),
        suffix='.txt',
        labels=labels,
        images=images,
        render=lambda names: ''.join(f'{_voc_line(name)}\n' for name in names),
        read=lambda path: choose_listed(
            path, map(without_suffix, _lines(path)), labels, images
        ),
        linked={name: os.path.join(root, name) for name in folders},
        notes=notes,
    )


def read_class_folders(root: str) -> SplitSource:
    """Read images in one folder a class, or in such folders for each part.

    Raises:
        UserError: There are not two classes, or class folders at the top and in
            a part beside them.
        AnnotationError: With every name that no list can hold.
    """
    files = [path for folder in _folders(root) for path in _files(root, folder)]
    images = {
        path: os.path.join(root, path)
        for path in files
        if path.lower().endswith(IMAGE_SUFFIXES)
    }
    layout = find_layout(root, images)
    classes = {path: name for path in files if (name := layout.class_of(path))}
    labels = {path: Counter([name]) for path, name in classes.items() if path in images}
    found = sorted({name for label in labels.values() for name in label})
    if len(found) < 2:
        what = f'images of one class only ({found[0]})' if found else 'no images'
        raise UserError(
            f'{root}: {what} in its folders, and neither VOC folders (Annotations and '
            'JPEGImages) nor a COCO JSON; give the folder that holds the class '
            'folders; tools/dataset_converters/convert.py makes them of other layouts'
        )
    lines = {path: f'{path}\t{name}' for path, (name,) in labels.items()}
    bad = [path for path, line in lines.items() if _UNLISTABLE.search(line)]
    if bad:
        problems = [f'{path!r}: no list can hold this name; rename it' for path in bad]
        raise AnnotationError(root, problems)
    used: dict[str, str | None] = {path: images[path] for path in labels}
    notes = Counter({'files that are no images left out': len(classes) - len(labels)})
    return SplitSource(
        root=root,
        folder='',
        suffix='.txt',
        labels=labels,
        images=used,
        render=lambda names: ''.join(f'{lines[name]}\n' for name in names),
        read=lambda path: choose_listed(
            path, (line.split('\t')[0].strip() for line in _lines(path)), labels, used
        ),
        linked={
            name: os.path.join(root, name) for name in (*layout.parts, *layout.classes)
        },
        has_boxes=False,
        notes=notes + layout.notes,
    )


def choose_listed(
    where: str,
    names: Iterable[str],
    labels: Mapping[str, Counter[str]],
    images: Mapping[str, str | None],
) -> Listed:
    """Return labels and image files of listed names.

    Raises:
        AnnotationError: With every name that the data set has not.
    """
    listed = list(dict.fromkeys(names))
    lost = [f'{name}: not in the data set' for name in listed if name not in labels]
    if lost:
        raise AnnotationError(where, lost)
    return {n: labels[n] for n in listed}, {n: images[n] for n in listed}


def _lines(path: str) -> list[str]:
    return [line for _, line in read_lines(path)]


def _with_area(annotation: VOCAnnotation, notes: Counter[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for name, (x1, y1, x2, y2), _ in annotation.objects:
        if x2 > x1 and y2 > y1:
            counts[name] += 1
        else:
            notes['boxes without area not counted'] += 1
    return counts


def _voc_line(name: str) -> str:
    # The suffix keeps the data set from taking one off the name itself.
    return name if without_suffix(name) == name else f'{name}.xml'


def _folders(path: str) -> list[str]:
    return sorted(
        name
        for name in os.listdir(path)
        if not is_junk(name) and os.path.isdir(os.path.join(path, name))
    )


def _files(root: str, folder: str) -> list[str]:
    """List all files under a folder relative to the root; links are followed once."""
    start = os.path.join(root, folder)
    seen = {os.path.realpath(start)}
    found = []
    for path, folders, files in os.walk(start, followlinks=True):
        real = {name: os.path.realpath(os.path.join(path, name)) for name in folders}
        folders[:] = [n for n in sorted(real) if not is_junk(n) and real[n] not in seen]
        seen.update(real[name] for name in folders)
        inner = os.path.relpath(path, start).replace(os.sep, '/')
        prefix = folder if inner == '.' else f'{folder}/{inner}'
        found += [f'{prefix}/{file}' for file in files if not is_junk(file)]
    return sorted(found)
