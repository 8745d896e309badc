"""YOLO text: one file an image, one ``class x y width height`` a line.

Numbers are shares of the image's sides, and the first two are the centre
(https://docs.ultralytics.com/datasets/detect/). Known are ``images`` and
``labels`` folders with a ``data.yaml``, as Ultralytics and Roboflow have them,
and text files beside the images with ``classes.txt`` or ``obj.names``, as
labelImg, CVAT and Darknet write them.
"""

import json
import os
from collections.abc import Mapping, Sequence

from custom_datasets.converters.files import write_text
from custom_datasets.errors import UserError
from custom_datasets.formats.decimals import to_centre
from custom_datasets.formats.pairing import pair
from custom_datasets.formats.paths import place_of
from custom_datasets.formats.source import (
    CLASS_LIST,
    UNLISTED,
    WHOLE,
    Reading,
    Source,
    group_by_split,
)
from custom_datasets.formats.tree import Tree
from custom_datasets.formats.yolo_labels import (
    Line,
    count_digits,
    holds_labels,
    is_polygon,
    parse_line,
    read_labels,
)
from custom_datasets.formats.yolo_layout import (
    class_names,
    find_configs,
    find_labels,
    find_splits,
    load_config,
)
from custom_datasets.images import image_size
from custom_datasets.records import BoxRecord, ImageRecord

IMAGES = 'images'


def find_yolo(tree: Tree) -> list[str]:
    """List the YAML files that name classes and the files with labels."""
    labels = [file for file in find_labels(tree) if holds_labels(tree.path(file))]
    return find_configs(tree) + labels


def read_yolo(tree: Tree, reading: Reading, counts_from: int | None = None) -> Source:
    """Read a folder; see :class:`~custom_datasets.formats.source.Source`.

    An image without a text file has no objects, which is YOLO's convention.
    A polygon or turned box becomes the box around it; keypoints are left out.
    """
    config = next(iter(find_configs(tree)), None)
    names = class_names(tree, config)
    labels = _read_all(tree, config, reading)
    files = {image: file for file, image in pair(tree, labels, {}, reading).items()}
    splits = find_splits(tree, config, reading)
    listed = {image for found in splits.values() for image in found}
    chosen: list[tuple[str | None, str]] = [
        (split, image) for split, found in splits.items() for image in found
    ]
    chosen += [
        (None if splits else place_of(image)[0], image)
        for image in tree.images
        if image not in listed
    ]
    digits = dict(zip(labels, count_digits(labels.values()), strict=True))
    records = {}
    for image in dict.fromkeys(image for _, image in chosen):
        file = files.get(image)
        try:
            size = tree.image_size(image)
            boxes = (
                _boxes(file, labels[file], names, size, digits[file]) if file else []
            )
        except UserError as error:
            reading.problems.append(str(error))
            continue
        records[image] = ImageRecord(
            name=place_of(image)[1],
            image=tree.path(image),
            annotation=file and tree.path(file),
            boxes=tuple(boxes),
            size=size,
        )
    reading.note(
        [image for image in records if image not in files],
        'images without a label file are taken to have no objects',
    )
    used = {box.name for record in records.values() for box in record.boxes}
    if used and not names:
        reading.notes.append(
            f'no class names found, so they are numbers: put {CLASS_LIST} (one name '
            'a line) into the source for better ones'
        )
    return Source(
        format='yolo',
        root=tree.root,
        classes=tuple(dict.fromkeys(names.values())) or tuple(sorted(used, key=int)),
        splits=group_by_split((s, records[i]) for s, i in chosen if i in records),
    )


def write_yolo(source: Source, names: Mapping[str, Sequence[str]], folder: str) -> None:
    """Write ``labels``, a list for each part and ``data.yaml``.

    Args:
        source: What to write.
        names: For each part the images' paths under ``images``.
        folder: Where ``images`` is.
    """
    ids = {name: index for index, name in enumerate(source.classes)}
    config = ''
    for split, records in source.splits.items():
        for record, name in zip(records, names[split], strict=True):
            # Shares are of the real image, whatever an annotation claims.
            size = image_size(str(record.image))
            lines = [
                ' '.join([str(ids[box.name]), *map(repr, to_centre(box.box, size))])
                for box in record.boxes
            ]
            text = ''.join(f'{line}\n' for line in lines)
            write_text(f'{folder}/labels/{os.path.splitext(name)[0]}.txt', text)
        if split not in (WHOLE, UNLISTED):
            config += f'{split}: {split}.txt\n'
            images = ''.join(f'./{IMAGES}/{name}\n' for name in names[split])
            write_text(f'{folder}/{split}.txt', images)
    # A JSON string is one in YAML as well.
    lines = [
        f'  {i}: {json.dumps(name, ensure_ascii=False)}\n' for name, i in ids.items()
    ]
    write_text(f'{folder}/data.yaml', f'{config}names:\n{"".join(lines)}')


def _read_all(
    tree: Tree, config: str | None, reading: Reading
) -> dict[str, list[Line]]:
    labels: dict[str, list[Line]] = {}
    for file in find_labels(tree):
        try:
            labels[file] = read_labels(tree.path(file))
        except UserError as error:
            # The reader of its image says so.
            labels[file] = [(1, [str(error)])]
    if config and 'kpt_shape' in load_config(tree, config):
        labels = {f: [(n, w[:5]) for n, w in lines] for f, lines in labels.items()}
        reading.notes.append(f'{config}: keypoints are left out')
    reading.note(
        [f for f, lines in labels.items() if any(is_polygon(w) for _, w in lines)],
        'files have polygons or turned boxes; the boxes around them are kept',
    )
    return labels


def _boxes(
    file: str,
    lines: list[Line],
    names: Mapping[int, str],
    size: tuple[int, int],
    digits: int,
) -> list[BoxRecord]:
    boxes = []
    for index, (number, words) in enumerate(lines):
        try:
            boxes.append(parse_line(words, index, names, size, digits))
        except UserError as error:
            raise UserError(f'{file}, line {number}: {error}') from error
    return boxes
