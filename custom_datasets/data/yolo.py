"""YOLO text: one file an image, one ``class x y width height`` a line.

Numbers are shares of the image's sides, and the first two are the centre
(https://docs.ultralytics.com/datasets/detect/). Known are ``images`` and
``labels`` folders with a ``data.yaml``, as Ultralytics and Roboflow have them,
and text files beside the images with ``classes.txt`` or ``obj.names``, as
labelImg, CVAT and Darknet write them.
"""

import json
import os
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

import yaml  # type: ignore[import-untyped]

from custom_datasets.data.images import image_size
from custom_datasets.data.names import read_lines
from custom_datasets.data.numbers import (
    Line,
    count_digits,
    holds_labels,
    is_polygon,
    parse_line,
    read_labels,
    to_centre,
)
from custom_datasets.data.reading import (
    CLASS_LIST,
    UNLISTED,
    WHOLE,
    Lists,
    Reading,
    Source,
    group_by_split,
    pair,
    read_list,
)
from custom_datasets.data.records import BoxRecord, ImageRecord
from custom_datasets.data.tree import Tree, place_of, split_of
from custom_datasets.errors import UserError
from custom_datasets.files import write_text

_NAME_FILES = (CLASS_LIST, 'labels.txt', 'predefined_classes.txt')


def find_configs(tree: Tree) -> list[str]:
    """List the YAML files that name classes, those nearest to the top first."""
    found = [f for f in tree.ending('.yaml', '.yml') if 'names' in load_config(tree, f)]
    return sorted(found, key=lambda file: (file.count('/'), file))


def load_config(tree: Tree, file: str) -> dict[str, Any]:
    """Load a YAML file; one that can't be read is empty."""
    try:
        with open(tree.path(file), encoding='utf-8-sig') as stream:
            # Without types: the class "no" is a name, not False.
            data = yaml.load(stream, Loader=yaml.BaseLoader)
    except (OSError, UnicodeError, yaml.YAMLError):
        return {}
    return data if isinstance(data, dict) else {}


def find_labels(tree: Tree) -> list[str]:
    """List the text files that are with an image or look like labels."""
    found = []
    for file in tree.ending('.txt'):
        folder, _, name = file.rpartition('/')
        if name.lower() in _NAME_FILES:
            continue
        paired = tree.candidates(name[:-4], folder) and not split_of(name[:-4])
        if paired or holds_labels(tree.path(file)):
            found.append(file)
    return found


def class_names(tree: Tree, config: str | None) -> dict[int, str]:
    """Read the name of each class's number; empty where nothing names them.

    Raises:
        UserError: The names can't be read.
    """
    if config:
        names = load_config(tree, config)['names']
        if not isinstance(names, (dict, list)):
            raise UserError(f'{config}: names must be a list')
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        try:
            return dict(sorted((int(key), str(name).strip()) for key, name in pairs))
        except ValueError as error:
            raise UserError(f'{config}: names need numbers ({error})') from error
    files = [f for f in tree.files if f.rpartition('/')[2].lower() in _NAME_FILES]
    files += tree.ending('.names', '_darknet.labels')
    if not files:
        return {}
    nearest = min(files, key=lambda file: (file.count('/'), file))
    return dict(enumerate(line for _, line in read_lines(tree.path(nearest))))


def find_splits(
    tree: Tree, config: str | None, reading: Reading
) -> dict[str, list[str]]:
    """Return the images of each part that the YAML file or lists name."""
    data = load_config(tree, config) if config else {}
    found: dict[str, list[str]] = {}
    for key, value in data.items():
        split = split_of(key)
        entries = [value] if isinstance(value, str) else value
        if not split or not isinstance(entries, list) or not any(entries):
            continue
        near = posixpath.join(posixpath.dirname(config or ''), data.get('path') or '')
        images = [i for entry in entries for i in _images(tree, near, entry, reading)]
        if images:
            found[split] = list(dict.fromkeys([*found.get(split, ()), *images]))
        else:
            reading.notes.append(f'{config}: no images are in {split}: {value}')
    return found or Lists.find(tree).read(tree, reading)


def _images(tree: Tree, near: str, entry: Any, reading: Reading) -> list[str]:
    """Return the images of a folder or of a list.

    Paths are tried with fewer and fewer folders in front: Roboflow writes
    ``../train/images`` for ``train/images``, and many are of another machine.
    """
    path = posixpath.join(near, str(entry)).replace('\\', '/')
    parts = [part for part in path.split('/') if part not in ('', '.', '..')]
    while parts:
        file = '/'.join(parts)
        if file in tree.files:
            return read_list(tree, file, reading)
        images = [image for image in tree.images if image.startswith(f'{file}/')]
        if images:
            return images
        parts.pop(0)
    return []


IMAGES = 'images'


def find_yolo(tree: Tree) -> list[str]:
    """List the YAML files that name classes and the files with labels."""
    labels = [file for file in find_labels(tree) if holds_labels(tree.path(file))]
    return find_configs(tree) + labels


def read_yolo(tree: Tree, reading: Reading, counts_from: int | None = None) -> Source:
    """Read a folder; see :class:`~custom_datasets.data.reading.Source`.

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
