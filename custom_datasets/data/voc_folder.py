"""A folder with VOC's XML files in any layout: read, and written in VOC's own.

``JPEGImages``, ``Annotations`` and ``ImageSets/Main/<part>.txt`` are written.
"""

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from xml.sax.saxutils import escape

from custom_datasets.data.images import image_size, without_suffix
from custom_datasets.data.numbers import as_number, to_zero_based
from custom_datasets.data.reading import (
    CLASS_LIST,
    UNLISTED,
    WHOLE,
    FindLine,
    Lists,
    Reading,
    Source,
    find_listed,
    first_pixel,
    group_by_split,
    order_classes,
    pair,
    without_flag,
)
from custom_datasets.data.records import Box, ImageRecord, has_area
from custom_datasets.data.tree import Tree, place_of
from custom_datasets.data.voc import (
    COUNTS_FROM,
    VOCFile,
    VOCFolder,
    find_voc_folders,
    looks_like_voc,
    read_voc_file,
    to_one_based,
    unannotated,
)
from custom_datasets.files import write_text


def find_voc(tree: Tree) -> list[str]:
    """List the XML files that look like VOC's."""
    return [file for file in tree.ending('.xml') if looks_like_voc(tree.path(file))]


def read_voc(tree: Tree, reading: Reading, counts_from: int | None = None) -> Source:
    """Read a folder of any layout; see :class:`~custom_datasets.data.reading.Source`.

    Images without an XML file are left out, unless a list names them.
    """
    parsed: dict[str, VOCFile] = {}
    folders = find_voc_folders(tree.root)
    files = tree.ending('.xml')
    if folders:
        images_folder, annotations = folders
        beside = [file for file in files if file.startswith(f'{images_folder}/')]
        reading.note(beside, f'XML files beside images left out: {annotations} has all')
        files = [file for file in files if file not in beside]
    for file in files:
        xml = read_voc_file(tree.path(file))
        if xml.broken and _is_foreign(tree, file):
            reading.notes.append(f'{file}: {xml.broken[0][0]}; left out')
            continue
        reading.report(xml.problems(file))
        parsed[file] = xml
    lists = Lists.find(tree)
    claims = {file: xml.filename for file, xml in parsed.items()}
    pairs = pair(tree, parsed, claims, reading, lists.file_names(tree))
    images = {image: file for file, image in pairs.items()}
    boxes = [
        (file, box.box)
        for file, xml in parsed.items()
        for box in xml.boxes
        if not xml.from_zero
    ]
    first = first_pixel(boxes, counts_from, reading)
    bases = {
        file: 0 if xml.from_zero and counts_from is None else first
        for file, xml in parsed.items()
    }

    def record(image: str) -> ImageRecord:
        file = images.get(image)
        xml, base = (parsed[file], bases[file]) if file else (VOCFile(), first)
        kept = [box for box in xml.boxes if has_area(box.box, base)]
        reading.dropped += len(xml.boxes) - len(kept)
        return ImageRecord(
            name=place_of(image)[1],
            image=tree.path(image),
            annotation=file and tree.path(file),
            boxes=tuple(replace(b, box=to_zero_based(b.box, base)) for b in kept),
            size=xml.size,
            filename=xml.filename,
            origin=xml.origin,
        )

    find = _find_in_folders(tree, folders, pairs, parsed) if folders else None
    listed = lists.read(tree, reading, find or _find_anywhere(tree, pairs, parsed))
    chosen = _choose(tree, images, listed, reading)
    broken = {image for image, file in images.items() if parsed[file].broken}
    return Source(
        format='voc',
        root=tree.root,
        classes=tuple(
            order_classes(
                tree, (b.name for xml in parsed.values() for b in xml.boxes), reading
            )
        ),
        splits=group_by_split(
            (split, record(image)) for split, image in chosen if image not in broken
        ),
        counts_from=max(bases.values(), default=first),
    )


def _find_in_folders(
    tree: Tree,
    folders: tuple[str, str],
    pairs: Mapping[str, str],
    files: Collection[str],
) -> FindLine:
    """Return a function that reads a list's lines as the data set does."""
    images, annotations = map(tree.path, folders)
    folder = VOCFolder(images, annotations)

    def in_tree(path: str) -> str:
        return path.removeprefix(tree.path(''))

    def find(line: str, near: str) -> list[str] | None:
        name = folder.name_of(line)
        file, *_ = [*map(in_tree, folder.annotations.find(name)), '']
        if file in files:
            return [pairs[file]] if file in pairs else None
        return [in_tree(image) for image in folder.images.find(name)]

    return find


def _find_anywhere(
    tree: Tree, pairs: Mapping[str, str], files: Collection[str]
) -> FindLine:
    """Return a function that finds a list's lines in a folder of any layout.

    A line may have the name of an annotation file instead of an image's.
    """
    stems = Counter(map(_stem, files))
    named = {_stem(file): pairs.get(file) for file in files if stems[_stem(file)] == 1}

    def find(line: str, near: str) -> list[str] | None:
        images = find_listed(tree, line, near)
        if len(images) == 1:
            return images
        for text in (line, without_flag(line)):
            stem = without_suffix(text).rpartition('/')[2]
            if stem in named:
                image = named[stem]
                return [image] if image else None
        return images

    return find


def write_voc(source: Source, names: Mapping[str, Sequence[str]], folder: str) -> None:
    """Write ``Annotations`` and ``ImageSets`` beside the images.

    Coordinates count from where the source's do, and from 1 if it is of another format.
    ``names`` are paths under ``JPEGImages``, which is in ``folder``.
    """
    counts_from = 1 if source.counts_from is None else source.counts_from
    for split, records in source.splits.items():
        stems = [os.path.splitext(name)[0] for name in names[split]]
        for record, name, stem in zip(records, names[split], stems, strict=True):
            text = _to_xml(record, name, counts_from)
            write_text(f'{folder}/Annotations/{stem}.xml', text)
        if split not in (WHOLE, UNLISTED):
            lines = ''.join(f'{stem}\n' for stem in stems)
            write_text(f'{folder}/ImageSets/Main/{split}.txt', lines)
    write_text(f'{folder}/{CLASS_LIST}', ''.join(f'{c}\n' for c in source.classes))


def _choose(
    tree: Tree,
    annotated: Collection[str],
    lists: Mapping[str, Sequence[str]],
    reading: Reading,
) -> list[tuple[str | None, str]]:
    """Give each image to its part; one to train on needs an XML file."""
    listed = {image for images in lists.values() for image in images}
    bare = [image for image in tree.images if image not in annotated]
    untrained = {image for image in lists.get('train', ()) if image not in annotated}
    reading.report(map(unannotated, sorted(untrained)))
    reading.note(
        [image for image in bare if image in listed and image not in untrained],
        'listed images have no XML file and come without boxes',
        'listed image has no XML file and comes without boxes',
    )
    reading.note(
        [image for image in bare if image not in listed],
        'images without an XML file left out',
    )
    chosen: list[tuple[str | None, str]] = [
        (split, image)
        for split, images in lists.items()
        for image in images
        if image not in untrained
    ]
    chosen += [
        (None if lists else place_of(image)[0], image)
        for image in sorted(annotated)
        if image not in listed
    ]
    return chosen


def _to_xml(record: ImageRecord, name: str, counts_from: int) -> str:
    width, height = record.size or image_size(str(record.image))
    lines = [
        '<annotation>',
        f'  <filename>{escape(os.path.basename(name))}</filename>',
    ]
    if record.origin:
        text = escape(record.origin)
        lines.append(f'  <source><annotation>{text}</annotation></source>')
    lines += [
        f'  <size><width>{width}</width><height>{height}</height></size>',
        '  <segmented>0</segmented>',
    ]
    if not counts_from:
        lines.append(f'  <{COUNTS_FROM}>0</{COUNTS_FROM}>')
    for box in record.boxes:
        x1, y1, x2, y2 = map(as_number, _in_file(box.box, counts_from))
        lines += [
            '  <object>',
            f'    <name>{escape(box.name)}</name>',
            f'    <difficult>{int(box.difficult)}</difficult>',
            f'    <bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>'
            f'<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>',
        ]
        if box.score is not None:
            lines.append(f'    <score>{box.score}</score>')
        lines.append('  </object>')
    return '\n'.join([*lines, '</annotation>', ''])


def _in_file(box: Box, counts_from: int) -> Box:
    """Return a box as a file has it, from which it is read as it was.

    What begins less than a pixel outside the image would prove, counted from 1, that
    pixels are counted from 0, so it begins at the edge, to which it is clipped anyway.
    """
    if not counts_from:
        return box
    left, top = (0.0 if -1 <= side < 0 else side for side in box[:2])
    return to_one_based((left, top, *box[2:]))


def _stem(file: str) -> str:
    return place_of(file)[1].rpartition('/')[2]


def _is_foreign(tree: Tree, file: str) -> bool:
    """Say whether a file that can't be read is not an annotation at all."""
    folder, _, name = file.rpartition('/')
    stem = os.path.splitext(name)[0]
    return not looks_like_voc(tree.path(file)) and not tree.candidates(stem, folder)
