"""Conversion between formats: which one a folder has, its reader, and its writer."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from custom_datasets.data import coco_folder, yolo
from custom_datasets.data import folders as class_folders
from custom_datasets.data.archive import unpack
from custom_datasets.data.balance import class_table
from custom_datasets.data.boxes_json import find_metal_surface, read_metal_surface
from custom_datasets.data.coco_folder import find_coco, read_coco
from custom_datasets.data.folders import find_classes, find_layout, read_class_folders
from custom_datasets.data.images import clean_name, free_name
from custom_datasets.data.names import class_problems
from custom_datasets.data.reading import (
    NO_BOX,
    WHOLE,
    Reading,
    Source,
    with_sizes,
    without_damaged,
)
from custom_datasets.data.tree import Tree, plain
from custom_datasets.data.voc import IMAGES as VOC_IMAGES
from custom_datasets.data.voc import clip_box, find_voc_folders
from custom_datasets.data.voc_folder import find_voc, read_voc, write_voc
from custom_datasets.data.yolo import find_yolo, read_yolo
from custom_datasets.errors import MAX_SHOWN, AnnotationError, UserError
from custom_datasets.files import clear_abandoned, new_folder
from custom_datasets.text import counted, shown


def name_images(source: Source, target: str) -> tuple[dict[str, list[str]], list[str]]:
    """Give each image a path in the destination, without its folder of images.

    Paths are the source's where they can be. No two are equal without their suffix and
    case, because they share that name with a text or XML file; an image that is in two
    parts with the same objects appears once. Also returns what had to be renamed.
    """
    given: dict[tuple[object, ...], str] = {}
    taken: set[str] = set()
    renamed = []
    names: dict[str, list[str]] = {}
    for split, records in source.splits.items():
        folder = f'{split}/' if target == 'class-lists' and split != WHOLE else ''
        names[split] = []
        for record in records:
            boxes = frozenset((b.name, b.box, b.difficult) for b in record.boxes)
            key = (folder, record.image, record.label, boxes)
            if key not in given:
                suffix = os.path.splitext(str(record.image))[1]
                # Class lists are read only where a class is called like its folder.
                label = f'{record.label}/' if target == 'class-lists' else ''
                inner = record.name.removeprefix(label)
                stem = free_name(f'{folder}{label}{clean_name(inner)}', taken)
                given[key] = f'{stem}{suffix}'
                if stem != f'{folder}{label}{inner}':
                    renamed.append(f'{record.name}{suffix} -> {stem}{suffix}')
            names[split].append(given[key])
    return names, renamed


Find = Callable[[Tree], list[str]]
Read = Callable[[Tree, Reading, int | None], Source]

FORMATS: dict[str, tuple[str, Find, Read]] = {
    'voc': ('Pascal VOC XML', find_voc, read_voc),
    'coco': ('COCO JSON', find_coco, read_coco),
    'yolo': ('YOLO text', find_yolo, read_yolo),
    'metal-surface': ('metal-surface JSON', find_metal_surface, read_metal_surface),
    'class-folders': ('class folders', find_classes, read_class_folders),
}
"""For each format what it is called, what lists its evidence, and its reader."""


def recognise(folder: str) -> str:
    """Return the one key of :data:`FORMATS` that a folder's files show."""
    return _recognise(Tree(folder))[0]


def read_source(
    path: str,
    format: str | None = None,
    *,
    counts_from: int | None = None,
    skip_broken: bool = False,
    name: str | None = None,
) -> Source:
    """Read a folder in any of the :data:`FORMATS`. Nothing is changed.

    ``counts_from`` says whether VOC's or metal-surface coordinates count pixels from 0
    or 1; by default from 0 if a box begins at 0. ``skip_broken`` leaves out what can't
    be read, and notes it; otherwise an AnnotationError has all of it. Messages call the
    folder ``name``, or by its path.
    """
    if os.path.isfile(path):
        raise UserError(
            f'{path}: not a folder; tools/dataset_converters/convert.py unpacks a zip'
        )
    tree = Tree(path, name)
    reading = Reading()
    format, strays = (format, []) if format else _recognise(tree)
    reading.note(
        strays,
        'files seem to be of another format, and are strays',
        'file seems to be of another format, and is a stray',
    )
    read = FORMATS[format][2]
    source = without_damaged(read(tree, reading, counts_from), reading)
    if source.format != 'class-folders':
        source = _inside(with_sizes(source, reading), reading)
    # No image can be left out for the sake of a class's name.
    unusable = class_problems(source.classes)
    if unusable or (reading.problems and not skip_broken):
        where = f'{tree.name} ({FORMATS[source.format][0]})'
        raise AnnotationError(where, [*reading.problems, *unusable])
    left_out = [f'left out: {problem}' for problem in reading.problems[:MAX_SHOWN]]
    if (more := len(reading.problems) - MAX_SHOWN) > 0:
        left_out.append(f'left out: {more} more')
    lack = _lack(source)
    if lack:
        where = f'{tree.name}: {lack}'
        if reading.problems:
            raise AnnotationError(where, reading.problems)
        raise UserError(where)
    notes = (*reading.notes, *source.notes, *left_out)
    splits = {split: records for split, records in source.splits.items() if records}
    return replace(source, splits=splits, notes=notes)


def _lack(source: Source) -> str:
    """Say what a set lacks that nobody can train on, if anything."""
    records = [record for part in source.splits.values() for record in part]
    if not records:
        return 'no image can be used'
    has_labels = any(record.boxes or record.label for record in records)
    return '' if has_labels else NO_BOX


def _inside(source: Source, reading: Reading) -> Source:
    """Cut boxes to their images; one that has nothing left has no area."""
    parts = {}
    cut = 0
    for split, records in source.splits.items():
        kept = []
        for record in records:
            boxes = []
            for box in record.boxes:
                inside, is_cut = clip_box(box.box, record.size or (0, 0), False)
                if inside is None:
                    reading.dropped += 1
                    continue
                cut += is_cut
                boxes.append(replace(box, box=inside))
            kept.append(replace(record, boxes=tuple(boxes)))
        parts[split] = tuple(kept)
    if cut:
        reading.notes.append(counted(cut, 'boxes clipped to the image'))
    if reading.dropped:
        reading.notes.append(counted(reading.dropped, 'boxes without area dropped'))
    return replace(source, splits=parts)


_STRAY = 10
"""So many times the images of one format make the files of another strays."""


def _recognise(tree: Tree) -> tuple[str, list[str]]:
    """Return the format that a folder's files show, and the strays of others."""
    evidence = {
        name: find(tree)
        for name, (_, find, _) in FORMATS.items()
        if name != 'class-folders'
    }
    found = {name: files for name, files in evidence.items() if files}
    if not found:
        if find_classes(tree):
            return 'class-folders', []
        raise _unknown(tree)
    weights = {name: _weigh(tree, name, files) for name, files in found.items()}
    if images := _classified(tree):
        # Annotated images may be in folders, and not all of them annotated yet.
        if 2 * max(weights.values()) < len(images):
            found['class-folders'], weights['class-folders'] = images, len(images)
    best = max(weights, key=lambda name: weights[name])
    others = {name: files for name, files in found.items() if name != best}
    if all(_STRAY * weights[name] <= weights[best] for name in others):
        return best, [file for files in others.values() for file in files]
    texts = [
        counted(len(files), f'files of {FORMATS[name][0]} ({shown(files, 2)})')
        for name, files in found.items()
    ]
    raise UserError(
        f'{tree.name}: found {" and ".join(texts)}; name the one to read with '
        f'--from {" or --from ".join(found)}'
    )


def _weigh(tree: Tree, name: str, files: Sequence[str]) -> int:
    """Count the images that the files of a format are about."""
    if name not in ('voc', 'yolo'):
        contents = [tree.load_json(file) for file in files]
        lists = [content.get('images', content) for content in contents]
        return sum(len(each) for each in lists if isinstance(each, (list, dict)))
    return len([file for file in files if file.lower().endswith(('.xml', '.txt'))])


def _classified(tree: Tree) -> list[str]:
    """List the images in folders that may be classes, if there are two of these."""
    if find_voc_folders(tree.root):
        return []
    try:
        layout = find_layout(tree.name, tree.images)
    except UserError:
        return []
    labels = {image: layout.class_of(image) for image in tree.images}
    names = plain([label for label in labels.values() if label])
    return [i for i in labels if labels[i] in names] if len(set(names)) > 1 else []


def _unknown(tree: Tree) -> UserError:
    counts = [
        f'{len(tree.ending(suffix))} {suffix}'
        for suffix in ('.xml', '.json', '.txt', '.yaml', '.csv')
    ]
    known = ', '.join(name for name, _, _ in FORMATS.values())
    broken = [str(error) for error in tree.broken_json()]
    note = f' ({shown(broken, 1)})' if broken else ''
    return UserError(
        f'{tree.name}: found {counted(len(tree.images), "images")}, '
        f'{", ".join(counts)}, but nothing in a known format{note}; known are '
        f'{known}; of class folders, '
        'give the folder that holds them all; if it is another of these, name it with '
        '--from, else export it as one of them'
    )


Names = Mapping[str, Sequence[str]]
Write = Callable[[Source, Names, str], None]

TARGETS: dict[str, tuple[str, Write]] = {
    'voc': (VOC_IMAGES, write_voc),
    'coco': (coco_folder.IMAGES, coco_folder.write_coco),
    'yolo': (yolo.IMAGES, yolo.write_yolo),
    'class-lists': (class_folders.IMAGES, class_folders.write_class_lists),
}
"""For each format to write, the folder of its images and what writes the rest."""

_UNPACKED = '.source'


def convert(
    source: str,
    destination: str,
    *,
    source_format: str | None = None,
    to: str | None = None,
    counts_from: int | None = None,
    skip_broken: bool = False,
    overwrite: bool = False,
    divided: bool = False,
) -> str:
    """Convert a folder or zip into a new folder, which appears whole or not at all.

    The source is only read. ``to`` is a key of :data:`TARGETS`; by default lists for
    class folders and VOC for all others. ``overwrite`` replaces a destination only if
    an earlier conversion made it; for the other arguments see :func:`read_source`.
    Returns a table of the parts, and what the user should know; that lists are missing
    is left out where they are ``divided`` next.
    """
    _require_apart(source, destination)
    left = clear_abandoned(destination)
    with new_folder(destination, overwrite, os.path.realpath(source)) as folder:
        unpacked = os.path.join(folder, _UNPACKED)
        if not os.path.isdir(source):
            unpack(source, unpacked)
        read = read_source(
            source if os.path.isdir(source) else unpacked,
            source_format,
            counts_from=counts_from,
            skip_broken=skip_broken,
            name=source,
        )
        read, target = _fit(read, to, source)
        names, renamed = name_images(read, target)
        images, write = TARGETS[target]
        write(read, names, folder)
        _take_images(read, names, os.path.join(folder, images), unpacked)
        shutil.rmtree(unpacked, ignore_errors=True)
    if left:
        text = f'removed what a conversion that was killed had left: {", ".join(left)}'
        read = replace(read, notes=(*read.notes, text))
    return _report(read, target, destination, renamed, divided)


def _require_apart(source: str, destination: str) -> None:
    if not os.path.exists(source):
        raise UserError(f'{source}: no such folder or zip')
    inner, outer = os.path.realpath(destination), os.path.realpath(source)
    for a, b in ((inner, outer), (outer, inner)):
        if os.path.commonpath([a, b]) == b:
            raise UserError(
                f'{destination}: the source must not be in it, nor it in the source'
            )


def _fit(source: Source, to: str | None, name: str) -> tuple[Source, str]:
    """Choose the target, and turn classes of whole images into boxes for others."""
    labelled = source.format == 'class-folders'
    target = to or ('class-lists' if labelled else 'voc')
    if labelled and target != 'class-lists':
        reading = Reading()
        source = class_folders.as_boxes(source, reading)
        if reading.problems:
            raise AnnotationError(name, reading.problems)
    elif target == 'class-lists' and not labelled:
        raise UserError(f'{name}: has boxes, so class lists are not for it')
    return source, target


def _take_images(source: Source, names: Names, folder: str, unpacked: str) -> None:
    """Copy the images; those that were unpacked for it are moved."""
    taken: dict[str, str] = {}
    for split, records in source.splits.items():
        for record, name in zip(records, names[split], strict=True):
            image, path = str(record.image), os.path.join(folder, name)
            if os.path.exists(path):
                continue  # It is in two parts with the same objects.
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if image.startswith(os.path.join(unpacked, '')) and image not in taken:
                os.replace(image, path)
            else:
                _copy(taken.get(image, image), path)
            taken[image] = path


def _copy(image: str, path: str) -> None:
    """Copy a file; the error of one that can't be opened is not the destination's."""
    try:
        with open(image, 'rb'):
            pass
    except OSError as error:
        raise UserError(f'{image}: cannot be read ({error.strerror})') from error
    shutil.copyfile(image, path)


def _untrained(
    source: Source,
    labels: Mapping[str, Mapping[str, int]],
    parts: Mapping[str, Iterable[str]],
) -> list[str]:
    """Say which of the classes training refuses, and what to do."""
    everywhere = {name for counts in labels.values() for name in counts}
    unused = [name for name in source.classes if name not in everywhere]
    notes = []
    if unused:
        notes.append(
            f'classes without an object: {", ".join(unused)}; they are kept, since the '
            'order of classes counts, but training refuses them, so leave them out of '
            'the classes of a config'
        )
    if 'train' in parts:
        trained = {name for item in parts['train'] for name in labels[item]}
        lacking = [c for c in source.classes if c in everywhere - trained]
        if lacking:
            notes.append(
                f'classes without an object in train: {", ".join(lacking)}; training '
                'refuses them, so move images over, or set ignore_classes in a config'
            )
    return notes


def _report(
    source: Source,
    target: str,
    destination: str,
    renamed: Iterable[str],
    divided: bool,
) -> str:
    labels, parts = {}, {}
    for split, records in source.splits.items():
        parts[split] = [f'{split}/{index}' for index in range(len(records))]
        for item, record in zip(parts[split], records, strict=True):
            names = [box.name for box in record.boxes] or [record.label or '']
            labels[item] = Counter(name for name in names if name)
    lines = [f'{source.format} -> {target}: {destination}', class_table(labels, parts)]
    notes = [*source.notes, *_untrained(source, labels, parts)]
    if renamed := list(renamed):
        text = (
            'images renamed, because another has that name or lists could not hold it'
        )
        notes.append(f'{counted(len(renamed), text)}: {shown(renamed)}')
    difficult = sum(
        b.difficult for r in source.splits.values() for i in r for b in i.boxes
    )
    if target == 'yolo' and difficult:
        many = 'difficult boxes are like all others in YOLO'
        one = 'difficult box is like all others in YOLO'
        notes.append(counted(difficult, many, one))
    if target == 'voc' and source.counts_from == 0:
        notes.append("coordinates count pixels from 0: the config's one_based is False")
    if set(source.splits) <= {WHOLE} and not divided:
        where = f'{destination}/annotations/{WHOLE}.json' * (target == 'coco')
        notes.append(
            'the source has no train, val and test lists; python '
            f'tools/dataset_converters/split.py {where or destination} writes them'
        )
    return '\n'.join([*lines, *(f'- {note}' for note in notes)])
