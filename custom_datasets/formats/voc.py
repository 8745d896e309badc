"""Pascal VOC: one XML file an image.

Format: VOC2012 development kit, section 8. Two kinds of folder are known:
``Annotations``, ``JPEGImages`` and lists in ``ImageSets/Main``, and XML files
beside the images in ``train``, ``valid`` and ``test``, as Roboflow exports
them; the folders' names may differ.
"""

import os
import re
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from custom_datasets.converters.files import write_text
from custom_datasets.errors import UserError
from custom_datasets.formats.decimals import as_number, from_zero_based, to_zero_based
from custom_datasets.formats.pairing import Lists, pair
from custom_datasets.formats.paths import place_of
from custom_datasets.formats.source import (
    CLASS_LIST,
    UNLISTED,
    WHOLE,
    Reading,
    Source,
    first_pixel,
    group_by_split,
    order_classes,
)
from custom_datasets.formats.tree import Tree
from custom_datasets.images import image_size
from custom_datasets.records import BoxRecord, ImageRecord
from custom_datasets.voc_xml import VOCAnnotation, parse_voc_xml

IMAGES = 'JPEGImages'

_ROOT = re.compile(rb'<(\w+:)?annotation[\s>/]')
_HEAD = 4096


def find_voc(tree: Tree) -> list[str]:
    """List the XML files that look like VOC's."""
    return [file for file in tree.ending('.xml') if _is_voc(tree.path(file))]


def read_voc(tree: Tree, reading: Reading, counts_from: int | None = None) -> Source:
    """Read a folder; see :class:`~custom_datasets.formats.source.Source`.

    Images that no XML file is about are left out, unless a list names them.
    """
    parsed: dict[str, VOCAnnotation | None] = {}
    for file in tree.ending('.xml'):
        try:
            parsed[file] = parse_voc_xml(tree.path(file))
        except UserError as error:
            if _is_foreign(tree, file):
                reading.notes.append(f'{file}: {error}; left out')
                continue
            parsed[file] = None
            reading.problems.append(f'{file}: {error}')
    claims = {
        file: annotation and annotation.filename for file, annotation in parsed.items()
    }
    images = {
        image: file for file, image in pair(tree, parsed, claims, reading).items()
    }
    boxes = [
        (file, box)
        for file, annotation in parsed.items()
        for _, box, _ in (annotation.objects if annotation else ())
    ]
    base = first_pixel(boxes, counts_from, reading)

    def record(image: str) -> ImageRecord:
        file = images.get(image)
        annotation = (file and parsed[file]) or VOCAnnotation(None, None, ())
        return ImageRecord(
            name=place_of(image)[1],
            image=tree.path(image),
            annotation=file and tree.path(file),
            boxes=tuple(
                BoxRecord(index, name, to_zero_based(box, base), difficult)
                for index, (name, box, difficult) in enumerate(annotation.objects)
            ),
            size=annotation.size,
            filename=annotation.filename,
        )

    lists = Lists.find(tree).read(tree, reading)
    listed = {image for found in lists.values() for image in found}
    broken = {image for image, file in images.items() if parsed[file] is None}
    bare = [image for image in tree.images if image not in images]
    reading.note(
        [image for image in bare if image in listed],
        'listed images have no XML file and come without boxes',
    )
    reading.note(
        [image for image in bare if image not in listed],
        'images without an XML file left out',
    )
    chosen: list[tuple[str | None, str]] = [
        (split, image) for split, found in lists.items() for image in found
    ]
    chosen += [
        (None if lists else place_of(image)[0], image)
        for image in sorted(images)
        if image not in listed
    ]
    names = [name for a in parsed.values() if a for name, _, _ in a.objects]
    return Source(
        format='voc',
        root=tree.root,
        classes=tuple(order_classes(tree, names, reading)),
        splits=group_by_split(
            (split, record(image)) for split, image in chosen if image not in broken
        ),
        counts_from=base,
    )


def write_voc(source: Source, names: Mapping[str, Sequence[str]], folder: str) -> None:
    """Write ``Annotations`` and ``ImageSets`` beside the images.

    Args:
        source: What to write. Coordinates count from where the source's do,
            and from 1 if it is of another format.
        names: For each part the images' paths under ``JPEGImages``.
        folder: Where ``JPEGImages`` is.
    """
    counts_from = 1 if source.counts_from is None else source.counts_from
    for split, records in source.splits.items():
        stems = [os.path.splitext(name)[0] for name in names[split]]
        for record, name, stem in zip(records, names[split], stems, strict=True):
            text = _xml(record, name, counts_from)
            write_text(f'{folder}/Annotations/{stem}.xml', text)
        if split not in (WHOLE, UNLISTED):
            lines = ''.join(f'{stem}\n' for stem in stems)
            write_text(f'{folder}/ImageSets/Main/{split}.txt', lines)
    write_text(f'{folder}/{CLASS_LIST}', ''.join(f'{c}\n' for c in source.classes))


def _xml(record: ImageRecord, name: str, counts_from: int) -> str:
    width, height = record.size or image_size(str(record.image))
    lines = [
        '<annotation>',
        f'  <filename>{escape(os.path.basename(name))}</filename>',
        f'  <size><width>{width}</width><height>{height}</height></size>',
        '  <segmented>0</segmented>',
    ]
    for box in record.boxes:
        sides = map(as_number, from_zero_based(box.box, counts_from))
        x1, y1, x2, y2 = sides
        lines += [
            '  <object>',
            f'    <name>{escape(box.name)}</name>',
            f'    <difficult>{int(box.difficult)}</difficult>',
            f'    <bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>'
            f'<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>',
            '  </object>',
        ]
    return '\n'.join([*lines, '</annotation>', ''])


def _is_voc(path: str) -> bool:
    try:
        with open(path, 'rb') as file:
            return bool(_ROOT.search(file.read(_HEAD)))
    except OSError:
        return False


def _is_foreign(tree: Tree, file: str) -> bool:
    """Say whether a file that can't be read is no annotation at all."""
    folder, _, name = file.rpartition('/')
    stem = os.path.splitext(name)[0]
    return not _is_voc(tree.path(file)) and not tree.candidates(stem, folder)
