"""One folder a class: whole images, no boxes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from custom_datasets.converters.files import write_text
from custom_datasets.formats.paths import is_junk, split_of
from custom_datasets.formats.source import (
    CLASS_LIST,
    Reading,
    Source,
    group_by_split,
    order_classes,
    with_sizes,
)
from custom_datasets.formats.tree import Tree
from custom_datasets.records import BoxRecord, ImageRecord

IMAGES = ''


def find_classes(tree: Tree) -> list[str]:
    """List the classes, if images are in at least two folders at the top."""
    names = sorted({label for _, label, _ in _labelled(tree) if label})
    return names if len(names) > 1 else []


def read_class_folders(
    tree: Tree, reading: Reading, counts_from: int | None = None
) -> Source:
    """Read a folder; images outside of a class's folder are left out."""
    images, bare = [], []
    for split, label, image in _labelled(tree):
        if label is None:
            bare.append(image)
            continue
        name = image.rpartition('.')[0]
        name = name.removeprefix(f'{image.partition("/")[0]}/' if split else '')
        images.append(
            (split, ImageRecord(name=name, image=tree.path(image), label=label))
        )
    reading.note(bare, 'images that are in no folder of a class left out')
    reading.note(_unread(tree), 'files in folders of classes are no images to read')
    reading.note(_empty(tree), 'folders of classes without an image left out')
    labels = [str(record.label) for _, record in images]
    return Source(
        format='class-folders',
        root=tree.root,
        classes=tuple(order_classes(tree, labels, reading)),
        splits=group_by_split(images),
    )


def write_class_lists(
    source: Source, names: Mapping[str, Sequence[str]], folder: str
) -> None:
    """Write a list of ``path<TAB>class`` for each part, beside the images.

    That is what :class:`custom_datasets.class_list.ClassListDataset` reads.
    """
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


def _unread(tree: Tree) -> list[str]:
    """List the files beside images that are none; SVG is none that can be read."""
    folders = {image.rpartition('/')[0] for image in tree.images} - {''}
    images = set(tree.images)
    return [
        f for f in tree.files if f not in images and f.rpartition('/')[0] in folders
    ]


def _empty(tree: Tree) -> list[str]:
    """List the folders that would be a class if there were an image in them."""
    folders = ['']
    if _is_divided(tree):
        folders = sorted({image.partition('/')[0] + '/' for image in tree.images})
    found = [
        f'{folder}{entry.name}'
        for folder in folders
        for entry in os.scandir(tree.path(folder))
        if entry.is_dir() and not is_junk(entry.name)
    ]
    used = {image.rpartition('/')[0] for image in tree.images}
    return [
        name for name in found if not any(f'{u}/'.startswith(f'{name}/') for u in used)
    ]


def _is_divided(tree: Tree) -> bool:
    """Say whether the folders at the top are those of parts, not of classes."""
    tops = {image.partition('/')[0] for image in tree.images if '/' in image}
    return bool(tops) and all(map(split_of, tops))


def _labelled(tree: Tree) -> list[tuple[str | None, str | None, str]]:
    """Return part, class and path of each image."""
    divided = _is_divided(tree)
    found = []
    for image in tree.images:
        *folders, _ = image.split('/')
        split = split_of(folders.pop(0)) if divided and folders else None
        found.append((split, folders[0] if folders else None, image))
    return found
