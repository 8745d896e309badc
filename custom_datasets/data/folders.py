"""Images with a class each: class folders, and lists of ``path<TAB>class``."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from custom_datasets.data.image_kinds import IMAGE_SUFFIXES
from custom_datasets.data.images import absence
from custom_datasets.data.names import EmptyListError, read_lines, spell_path
from custom_datasets.data.problems import Problem
from custom_datasets.data.reading import (
    CLASS_LIST,
    UNLISTED,
    Reading,
    Source,
    group_by_split,
    order_classes,
    with_sizes,
)
from custom_datasets.data.records import BoxRecord, ImageRecord
from custom_datasets.data.tree import Tree, is_folder, is_junk, split_of
from custom_datasets.errors import UserError
from custom_datasets.files import write_text
from custom_datasets.text import counted, printable, shown

IMAGES = ''

_LISTS = {'train.txt': 'train', 'val.txt': 'val', 'test.txt': 'test'}


def read_class_list(
    path: str, root: str, ignored: Collection[str] = ()
) -> tuple[dict[int, ImageRecord], list[Problem]]:
    """Read a list of ``path<TAB>class``, the path relative to ``root``.

    Returns the image of each line, by its number from 1, and what is wrong. An image of
    an ignored class need not exist.
    """
    records: dict[int, ImageRecord] = {}
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for number, line in read_lines(path):
        name, _, label = (piece.strip() for piece in line.rpartition('\t'))
        if not name or '\t' in name:
            what = 'more than one tab' if name else 'no tab and class after the path'
            text = f'line {number}: {what}'
            problems.append(Problem('broken-annotation', text, path))
            continue
        written, name = name, spell_path(name, root)
        if name in first:
            text = f'line {number}: {written} is in line {first[name]} already'
            problems.append(Problem('listed-twice', text, path))
            continue
        first[name] = number
        image: str | None = os.path.join(root, name)
        if label not in ignored and (why := _why_none(root, name)):
            text = f'line {number}: {image}: {why}'
            problems.append(Problem('missing-image', text, path))
            image = None
        records[number] = ImageRecord(name, image, path, label=label)
    return records, problems


def _why_none(root: str, name: str) -> str:
    """Say why a listed file is no image of the set, as for its folder; else nothing."""
    path = os.path.join(root, name)
    if not os.path.isfile(path):
        return absence(path)
    if not name.lower().endswith(IMAGE_SUFFIXES):
        return f'no such image: known are {", ".join(IMAGE_SUFFIXES)}'
    if not name.startswith(('/', '../')) and any(map(is_junk, name.split('/'))):
        return 'no such image: what is hidden is passed over'
    return ''


@dataclass(frozen=True)
class Layout:
    """The folders at the top that have images.

    Attributes:
        parts: The part that each folder is, :data:`UNLISTED` too; empty where they are
            classes.
        classes: The folders that are a class; empty where they are parts.
        notes: What was left out or may surprise, with the number of images.
    """

    parts: dict[str, str]
    classes: tuple[str, ...]
    notes: Counter[str]

    def is_left_out(self, file: str) -> bool:
        """Say whether a file is in a folder that is neither part nor class."""
        top, slash, _ = file.partition('/')
        return bool(slash) and top not in self.parts and top not in self.classes

    def class_of(self, file: str) -> str | None:
        """Return the class that a file is in, if any."""
        top, *folders = file.split('/')[:-1] or ['']
        if top in self.parts:
            return folders[0] if folders else None
        return top if top in self.classes else None


def find_layout(where: str, images: Iterable[str]) -> Layout:
    """Tell parts from classes by the paths of all images, relative to the root.

    A set is divided if nothing but parts with class folders is at the top, or ``train``
    with class folders and another part: ``Meta`` may be beside them. Class folders at
    the top and in a part beside them are a UserError.
    """
    depths = [image.split('/')[:-1] for image in images]
    counts = Counter(folders[0] for folders in depths if folders)
    nested = {folders[0] for folders in depths if len(folders) > 1}
    named = {top: split for top in sorted(counts) if (split := split_of(top))}
    parts = {top: split for top, split in named.items() if top in nested}
    if parts and UNLISTED in nested:
        # A conversion has written it.
        parts[UNLISTED] = UNLISTED
    others = [top for top in sorted(counts) if top not in {**named, **parts}]
    with_more = 'train' in parts.values() and len(set(named.values())) > 1
    if others and parts and not with_more:
        holds = 'holds' if len(parts) == 1 else 'hold'
        raise UserError(
            f'{where}: has class folders ({shown(others)}) beside {shown(list(parts))},'
            f' which {holds} class folders too; move one of them away'
        )
    notes: Counter[str] = Counter()
    if parts or not others:
        for top in sorted(counts.keys() - parts.keys()):
            why = 'it is no part of the data, as those beside it are'
            if top in named:
                why = 'a part needs class folders'
            notes[f'images in {printable(top)} left out: {why}'] = counts[top]
        return Layout(parts, (), notes)
    # ``train`` may be a class: trains. As a part it needs class folders in it.
    trains = [top for top, split in named.items() if split == 'train']
    for top in named:
        if top in trains:
            text = f'images in {top} taken for a class: it has no class folders'
        else:
            text = (
                f'images in {top} left out: it has no class folders; if it is a '
                'class itself, rename it'
            )
        notes[text] = counts[top]
    return Layout({}, tuple(sorted([*others, *trains])), notes)


def find_classes(tree: Tree) -> list[str]:
    """List the classes, if there are images in the folders of at least two."""
    layout = find_layout(tree.name, tree.images)
    names = {label for image in tree.images if (label := layout.class_of(image))}
    return sorted(names) if len(names) > 1 else []


def read_labels(tree: Tree, reading: Reading) -> tuple[Layout, dict[str, str]]:
    """Return the folders of a set, and the class of each image that is in a class."""
    layout = find_layout(tree.name, tree.images)
    labels = {
        image: label for image in tree.images if (label := layout.class_of(image))
    }
    reading.note(
        [f for f in tree.images if f not in labels and not layout.is_left_out(f)],
        'images outside of class folders left out',
    )
    reading.notes += [counted(count, what) for what, count in layout.notes.items()]
    unread = _unread(tree, layout)
    reading.note(
        unread,
        'files in class folders are not readable images',
        'file in class folders is not a readable image',
    )
    reading.note(
        _empty(tree, layout),
        'class folders without an image left out',
        'class folder without an image left out',
    )
    return layout, labels


def read_class_folders(
    tree: Tree, reading: Reading, counts_from: int | None = None
) -> Source:
    """Read a folder; images outside of class folders are left out.

    Lists at the top say which part an image is of; otherwise its folder does.
    """
    layout, labels = read_labels(tree, reading)
    listed = _read_parts(tree, labels, reading)
    images = []
    for image, label in labels.items():
        top, _, inner = image.partition('/')
        name = (inner if top in layout.parts else image).rpartition('.')[0]
        split = listed.get(image) if listed else layout.parts.get(top)
        images.append(
            (split, ImageRecord(name=name, image=tree.path(image), label=label))
        )
    if listed:
        rest = [image for image in labels if image not in listed]
        reading.note(
            rest,
            'images that no list names are in no part',
            'image that no list names is in no part',
        )
    return Source(
        format='class-folders',
        root=tree.root,
        classes=tuple(order_classes(tree, labels.values(), reading)),
        splits=group_by_split(images),
    )


def write_class_lists(
    source: Source, names: Mapping[str, Sequence[str]], folder: str
) -> None:
    """Write a list of ``path<TAB>class`` for each part, beside the images."""
    for split, records in source.splits.items():
        lines = [
            f'{name}\t{record.label}\n'
            for record, name in zip(records, names[split], strict=True)
        ]
        write_text(f'{folder}/{split}.txt', ''.join(lines))
    write_text(f'{folder}/{CLASS_LIST}', ''.join(f'{c}\n' for c in source.classes))


def as_boxes(source: Source, reading: Reading) -> Source:
    """Turn each image's class into one box over all of it."""

    def boxed(record: ImageRecord) -> ImageRecord:
        width, height = record.size or (0, 0)
        box = (0.0, 0.0, float(width), float(height))
        boxes = (BoxRecord(0, str(record.label), box),)
        return replace(record, boxes=boxes, label=None)

    sized = with_sizes(source, reading)
    splits = {s: tuple(map(boxed, records)) for s, records in sized.splits.items()}
    note = "each image's class became one box over all of it"
    return replace(source, splits=splits, notes=(*source.notes, note))


def _read_parts(
    tree: Tree, labels: Mapping[str, str], reading: Reading
) -> dict[str, str]:
    """Return the part of each image that a list at the top names.

    Lists that name no image with the class of its folder belong to another set.
    """
    parts: dict[str, str] = {}
    problems: list[Problem] = []
    files = []
    for file in filter(tree.files.__contains__, _LISTS):
        files.append(file)
        try:
            records, found = read_class_list(tree.path(file), tree.root)
        except EmptyListError:
            # Where split.py was asked for no test part, it leaves such a list.
            files.remove(file)
            continue
        except UserError as error:
            text = str(error).replace(tree.path(file), '').removeprefix(': ')
            problems.append(Problem('broken-annotation', text, file))
            continue
        for problem in found:
            text = problem.message.replace(os.path.join(tree.root, ''), '')
            problems.append(replace(problem, message=text, file=file))
        for number, record in records.items():
            code, text = 'broken-annotation', ''
            label = labels.get(record.name)
            if label and record.label != label:
                text = f'is in the folder of {label}, not of {record.label}'
            elif record.name in parts:
                code, text = 'listed-twice', f'is in {parts[record.name]}.txt already'
            elif label:
                parts[record.name] = _LISTS[file]
            elif record.image:
                text = 'is not in a class folder'
            if text:
                text = f'line {number}: {record.name} {text}'
                problems.append(Problem(code, text, file))
    is_whole = 'train.txt' in files and len(files) > 1
    if not files or (parts and is_whole):
        reading.report(problems)
        return parts
    why = 'train.txt and another one are needed' if parts else str(problems[0])
    reading.notes.append(f'lists not read ({", ".join(files)}): {why}')
    return {}


def _unread(tree: Tree, layout: Layout) -> list[str]:
    """List the files beside images that can't be read as one; SVG can't."""
    folders = {image.rpartition('/')[0] for image in tree.images}
    images = set(tree.images)
    return [
        f
        for f in tree.files
        if f not in images and layout.class_of(f) and f.rpartition('/')[0] in folders
    ]


def _empty(tree: Tree, layout: Layout) -> list[str]:
    found = [
        f'{folder}{entry.name}'
        for folder in [f'{part}/' for part in layout.parts] or ['']
        for entry in os.scandir(tree.path(folder))
        if is_folder(entry) and not is_junk(entry.name)
    ]
    used = {image.rpartition('/')[0] for image in tree.images}
    return [
        name for name in found if not any(f'{u}/'.startswith(f'{name}/') for u in used)
    ]
