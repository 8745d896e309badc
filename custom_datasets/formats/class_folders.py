"""One folder a class: whole images, no boxes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from custom_datasets.converters.files import write_text
from custom_datasets.formats.class_lists import read_class_lists
from custom_datasets.formats.parts import Layout, find_layout
from custom_datasets.formats.paths import is_junk
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
    """List the classes, if there are images in the folders of at least two.

    Raises:
        UserError: Class folders are at the top and in a part beside them.
    """
    layout = find_layout(tree.name, tree.images)
    names = {label for image in tree.images if (label := layout.class_of(image))}
    return sorted(names) if len(names) > 1 else []


def read_class_folders(
    tree: Tree, reading: Reading, counts_from: int | None = None
) -> Source:
    """Read a folder; images outside of a class's folder are left out.

    Lists at the top say which part an image is of; otherwise its folder does.

    Raises:
        UserError: Class folders are at the top and in a part beside them.
    """
    layout = find_layout(tree.name, tree.images)
    labels = {
        image: label for image in tree.images if (label := layout.class_of(image))
    }
    listed = read_class_lists(tree, labels, reading)
    images = []
    for image, label in labels.items():
        top, _, inner = image.partition('/')
        name = (inner if top in layout.parts else image).rpartition('.')[0]
        split = listed.get(image) if listed else layout.parts.get(top)
        images.append(
            (split, ImageRecord(name=name, image=tree.path(image), label=label))
        )
    reading.note(
        [f for f in tree.images if f not in labels and not layout.is_left_out(f)],
        'images that are in no folder of a class left out',
    )
    reading.notes += [f'{count} {what}' for what, count in layout.notes.items()]
    if listed:
        rest = [image for image in labels if image not in listed]
        reading.note(rest, 'images that no list names are in no part')
    unread = _unread(tree, layout)
    reading.note(unread, 'files in folders of classes are no images to read')
    reading.note(_empty(tree, layout), 'folders of classes without an image left out')
    return Source(
        format='class-folders',
        root=tree.root,
        classes=tuple(order_classes(tree, labels.values(), reading)),
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


def _unread(tree: Tree, layout: Layout) -> list[str]:
    """List the files beside images that are none; SVG is none that can be read."""
    folders = {image.rpartition('/')[0] for image in tree.images}
    images = set(tree.images)
    return [
        f
        for f in tree.files
        if f not in images and layout.class_of(f) and f.rpartition('/')[0] in folders
    ]


def _empty(tree: Tree, layout: Layout) -> list[str]:
    """List the folders that would be a class if there were an image in them."""
    found = [
        f'{folder}{entry.name}'
        for folder in [f'{part}/' for part in layout.parts] or ['']
        for entry in os.scandir(tree.path(folder))
        if entry.is_dir() and not is_junk(entry.name)
    ]
    used = {image.rpartition('/')[0] for image in tree.images}
    return [
        name for name in found if not any(f'{u}/'.startswith(f'{name}/') for u in used)
    ]
