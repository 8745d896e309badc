"""A folder with VOC's XML files in any layout: read, and written in VOC's own.

``JPEGImages``, ``Annotations`` and ``ImageSets/Main/<part>.txt`` are written.
"""

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from xml.sax.saxutils import escape

from custom_datasets.data.images import image_size
from custom_datasets.data.numbers import add, as_number, from_zero_based, to_zero_based
from custom_datasets.data.reading import (
    CLASS_LIST,
    UNLISTED,
    WHOLE,
    Lists,
    Reading,
    Source,
    first_pixel,
    group_by_split,
    order_classes,
    pair,
)
from custom_datasets.data.records import Box, ImageRecord, has_area
from custom_datasets.data.tree import Tree, place_of
from custom_datasets.data.voc import (
    COUNTS_FROM,
    VOCFile,
    find_voc_folders,
    looks_like_voc,
    read_voc_file,
    unannotated,
)
from custom_datasets.files import write_text

_SPARE = 1e-4
"""In pixels: as little as nobody sees, and as much as no rounding takes away."""


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
    boxes = [(file, box.box) for file, xml in parsed.items() for box in xml.boxes]
    if counts_from is None and any(xml.from_zero for xml in parsed.values()):
        counts_from = 0
    base = first_pixel(boxes, counts_from, reading)

    def record(image: str) -> ImageRecord:
        file = images.get(image)
        xml = parsed[file] if file else VOCFile()
        kept = [box for box in xml.boxes if has_area(box.box, base)]
        reading.dropped += len(xml.boxes) - len(kept)
        return ImageRecord(
            name=place_of(image)[1],
            image=tree.path(image),
            annotation=file and tree.path(file),
            boxes=tuple(replace(b, box=to_zero_based(b.box, base)) for b in kept),
            size=xml.size,
            filename=xml.filename,
        )

    stems = Counter(place_of(file)[1].rpartition('/')[2] for file in parsed)
    by_name = {
        stem: pairs.get(file)
        for file in parsed
        if stems[stem := place_of(file)[1].rpartition('/')[2]] == 1
    }
    listed = lists.read(tree, reading, by_name)
    chosen = _choose(tree, images, listed, reading)
    broken = {image for image, file in images.items() if parsed[file].broken}
    source = Source(
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
        counts_from=base,
    )
    return source


def write_voc(source: Source, names: Mapping[str, Sequence[str]], folder: str) -> None:
    """Write ``Annotations`` and ``ImageSets`` beside the images.

    Coordinates count from where the source's do, and from 1 if it is of another format.
    ``names`` are paths under ``JPEGImages``, which is in ``folder``.
    """
    counts_from = 1 if source.counts_from is None else source.counts_from
    for split, records in source.splits.items():
        stems = [os.path.splitext(name)[0] for name in names[split]]
        for record, name, stem in zip(records, names[split], stems, strict=True):
            text = _to_xml(record, name, counts_from, source.origin)
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


def _to_xml(record: ImageRecord, name: str, counts_from: int, origin: str) -> str:
    width, height = record.size or image_size(str(record.image))
    lines = [
        '<annotation>',
        f'  <filename>{escape(os.path.basename(name))}</filename>',
    ]
    if origin:
        lines.append(f'  <source><annotation>{escape(origin)}</annotation></source>')
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

    Counted from 1, a side of one pixel would end where it begins, as slips do, so it
    is longer by a little. What begins less than a pixel outside the image would prove
    that pixels are counted from 0, so it begins at the edge, to which it is clipped
    anyway.
    """
    if not counts_from:
        return box
    left, top = (0.0 if -1 <= side < 0 else side for side in box[:2])
    x1, y1, x2, y2 = from_zero_based((left, top, *box[2:]), counts_from)
    x2 = add(x2, _SPARE) if x2 == x1 else x2
    y2 = add(y2, _SPARE) if y2 == y1 else y2
    return x1, y1, x2, y2


def _is_foreign(tree: Tree, file: str) -> bool:
    """Say whether a file that can't be read is not an annotation at all."""
    folder, _, name = file.rpartition('/')
    stem = os.path.splitext(name)[0]
    return not looks_like_voc(tree.path(file)) and not tree.candidates(stem, folder)
