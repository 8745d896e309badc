"""YOLO text: one file per image, one ``class x y width height`` per line.

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
from contextlib import suppress
from dataclasses import replace
from typing import Any

from custom_datasets.data.images import folded, image_size, without_suffix
from custom_datasets.data.marks import (
    NOTE,
    ORIGIN,
    digest,
    is_predicted,
    written_digest,
)
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
from custom_datasets.data.opening import open_file, parse_yaml
from custom_datasets.data.problems import Problem
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
from custom_datasets.data.records import BoxRecord, ImageRecord, has_area
from custom_datasets.data.tree import Tree, place_of, split_of
from custom_datasets.errors import UserError
from custom_datasets.files import write_json, write_text

IMAGES = 'images'

_NAME_FILES = (CLASS_LIST, 'labels.txt', 'predefined_classes.txt')


def find_yolo(tree: Tree) -> list[str]:
    """List the YAML files that name classes and the files with labels."""
    configs = _find_configs(tree, Reading())
    labels = [file for file in _find_labels(tree) if holds_labels(tree.path(file))]
    return [*configs, *labels]


def read_yolo(tree: Tree, reading: Reading, counts_from: int | None = None) -> Source:
    """Read a folder; an image without a text file has no objects, as YOLO has it.

    A polygon or turned box becomes the box around it; keypoints are left out.
    """
    configs = _find_configs(tree, reading)
    file, config = next(iter(configs.items()), ('', {}))
    names = _class_names(tree, configs, reading)
    count = config.get('nc')
    if count is not None and str(count).strip() != str(len(names)):
        text = f'nc is {count}, but there are {len(names)} names, which count'
        reading.notes.append(f'{file}: {text}')
    label_files = _find_labels(tree)
    labels = _read_labels(tree, label_files, reading)
    if 'kpt_shape' in config:
        labels = {f: [(n, w[:5]) for n, w in lines] for f, lines in labels.items()}
        reading.notes.append(f'{file}: keypoints are left out')
    reading.note(
        [f for f, lines in labels.items() if any(is_polygon(w) for _, w in lines)],
        'files have polygons or turned boxes; the boxes around them are kept',
        'file has polygons or turned boxes; the boxes around them are kept',
    )
    pairs = pair(tree, label_files, {}, reading)
    files = {image: label for label, image in pairs.items()}
    splits = _find_splits(tree, file, config, reading)
    listed = {image for images in splits.values() for image in images}
    chosen: list[tuple[str | None, str]] = [
        (split, image) for split, images in splits.items() for image in images
    ]
    chosen += [
        (None if splits else place_of(image)[0], image)
        for image in tree.images
        if image not in listed
    ]
    doubtful = _doubtful(tree, set(label_files) - pairs.keys()) - files.keys()
    reading.note(
        sorted(doubtful),
        'images left out, since a label file that matches none may be about them',
        'image left out, since a label file that matches none may be about it',
    )
    images = [
        image
        for image in dict.fromkeys(image for _, image in chosen)
        if (files[image] in labels if image in files else image not in doubtful)
    ]
    records = _records(tree, images, files, labels, names, reading)
    reading.note(
        [image for image in records if image not in files],
        'images without a label file are taken to have no objects',
        'image without a label file is taken to have no objects',
    )
    records = _with_origin(records, config.get(ORIGIN))
    used = {box.name for record in records.values() for box in record.boxes}
    if used and not names:
        reading.notes.append(
            f'no class names found, so they are numbers: put {CLASS_LIST} (one name '
            'per line) into the source for better ones'
        )
    return Source(
        format='yolo',
        root=tree.root,
        classes=tuple(names.values()) or tuple(sorted(used, key=int)),
        splits=group_by_split((s, records[i]) for s, i in chosen if i in records),
    )


def write_yolo(source: Source, names: Mapping[str, Sequence[str]], folder: str) -> None:
    """Write ``labels``, a list for each part and ``data.yaml`` beside the images."""
    ids = {name: index for index, name in enumerate(source.classes)}
    # A JSON string is one in YAML as well.
    mark = json.dumps(source.origin, ensure_ascii=False)
    config = f'{ORIGIN}: {mark}\n' if source.origin else ''
    written = {}
    for split, records in source.splits.items():
        for record, name in zip(records, names[split], strict=True):
            # Shares are of the real image, whatever an annotation claims.
            size = image_size(str(record.image))
            lines = [
                ' '.join([str(ids[box.name]), *map(repr, to_centre(box.box, size))])
                for box in record.boxes
            ]
            text = ''.join(f'{line}\n' for line in lines)
            file = f'labels/{os.path.splitext(name)[0]}.txt'
            write_text(f'{folder}/{file}', text)
            if record.origin:
                written[file] = digest(text.encode())
        if split not in (WHOLE, UNLISTED):
            config += f'{split}: {split}.txt\n'
            images = ''.join(f'./{IMAGES}/{name}\n' for name in names[split])
            write_text(f'{folder}/{split}.txt', images)
    if written:
        write_json(f'{folder}/{NOTE}', written)
    lines = [
        f'  {i}: {json.dumps(name, ensure_ascii=False)}\n' for name, i in ids.items()
    ]
    write_text(f'{folder}/data.yaml', f'{config}names:\n{"".join(lines)}')


def _find_configs(tree: Tree, reading: Reading) -> dict[str, dict[str, Any]]:
    """Return the YAML files that name classes, those nearest to the top first.

    One that can't be read is a problem where it may name classes.
    """
    configs = {}
    files = tree.ending('.yaml', '.yml')
    for file in sorted(files, key=lambda file: (file.count('/'), file)):
        try:
            with open_file(tree.path(file)) as stream:
                data = stream.read()
            config = parse_yaml(data)
        except OSError as error:
            reading.problems.append(f'{file}: {error.strerror}')
        except UserError as error:
            # In UTF-16 every other byte is 0.
            if b'names' in data.replace(b'\0', b''):
                reading.report([Problem('broken-annotation', str(error), file)])
        else:
            if isinstance(config, dict) and 'names' in config:
                configs[file] = config
    return configs


def _find_labels(tree: Tree) -> list[str]:
    labels = []
    for file in tree.ending('.txt'):
        folder, _, name = file.rpartition('/')
        if name.lower() in _NAME_FILES:
            continue
        paired = tree.candidates(name[:-4], folder) and not split_of(name[:-4])
        if paired or holds_labels(tree.path(file)):
            labels.append(file)
    return labels


def _class_names(
    tree: Tree, configs: Mapping[str, Mapping[str, Any]], reading: Reading
) -> dict[int, str]:
    """Read the name of each class's number; empty where nothing names them.

    The first YAML file counts, or else the nearest list; others that differ are noted.
    """
    lists = [f for f in tree.files if f.rpartition('/')[2].lower() in _NAME_FILES]
    lists += tree.ending('.names', '_darknet.labels')
    lists.sort(key=lambda file: (file.count('/'), file))

    def read(file: str) -> dict[int, str]:
        if file in configs:
            return _yaml_names(file, configs[file])
        return dict(enumerate(line for _, line in read_lines(tree.path(file))))

    first, *others = [*configs, *lists] or ['']
    names = read(first) if first else {}
    differing = []
    for other in others:
        with suppress(UserError):  # It is not needed.
            if read(other) != names:
                differing.append(other)
    reading.note(
        differing,
        f'files name other classes than {first}, which is read',
        f'file names other classes than {first}, which is read',
    )
    return names


def _yaml_names(file: str, config: Mapping[str, Any]) -> dict[int, str]:
    names = config['names']
    if not isinstance(names, (dict, list)):
        raise UserError(f'{file}: names must be a list')
    pairs = [*(names.items() if isinstance(names, dict) else enumerate(names))]
    if not all(isinstance(name, str) for _, name in pairs):
        raise UserError(f'{file}: names must be text, one for each number')
    try:
        numbered = dict(sorted((int(key), name.strip()) for key, name in pairs))
    except ValueError as error:
        raise UserError(f'{file}: names need numbers ({error})') from error
    if len(numbered) < len(pairs):
        raise UserError(f'{file}: names has a number twice')
    return numbered


def _find_splits(
    tree: Tree, file: str, config: Mapping[str, Any], reading: Reading
) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for key, value in config.items():
        split = split_of(key)
        entries = [value] if isinstance(value, str) else value
        if not split or not isinstance(entries, list) or not any(entries):
            continue
        start = config.get('path') or ''
        for name, text in [('path', start), *((key, entry) for entry in entries)]:
            if not isinstance(text, str):
                raise UserError(f'{file}: {name} must be text that is a path')
        near = posixpath.join(posixpath.dirname(file), start)
        images = [i for entry in entries for i in _images(tree, near, entry, reading)]
        if images:
            splits[split] = list(dict.fromkeys([*splits.get(split, ()), *images]))
        else:
            reading.notes.append(f'{file}: no images are in {split}: {value}')
    return splits or Lists.find(tree).read(tree, reading)


def _images(tree: Tree, near: str, entry: Any, reading: Reading) -> list[str]:
    """Return the images of a folder or of a list.

    Paths are tried with fewer and fewer folders in front: Roboflow writes
    ``../train/images`` for ``train/images``, and many are another machine's.
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


def _read_labels(
    tree: Tree, files: Sequence[str], reading: Reading
) -> dict[str, list[Line]]:
    labels = {}
    for file in files:
        try:
            labels[file] = read_labels(tree.path(file))
        except UserError as error:
            reading.report([Problem('broken-annotation', str(error), file)])
    return labels


def _doubtful(tree: Tree, labels: set[str]) -> set[str]:
    """Return the images that label files without a certain image may be about.

    Names may differ in case, and in how an accent is written.
    """
    stems = {posixpath.basename(label)[:-4] for label in labels}
    names = {folded(name) for stem in stems for name in (stem, without_suffix(stem))}
    return {
        image
        for image in tree.images
        if folded(posixpath.splitext(posixpath.basename(image))[0]) in names
    }


def _records(
    tree: Tree,
    images: Sequence[str],
    files: Mapping[str, str],
    labels: Mapping[str, list[Line]],
    names: Mapping[int, str],
    reading: Reading,
) -> dict[str, ImageRecord]:
    digits = dict(zip(labels, count_digits(labels.values()), strict=True))
    records = {}
    for image in images:
        label = files.get(image)
        try:
            size = tree.image_size(image)
        except UserError as error:
            reading.problems.append(str(error))
            continue
        boxes: list[BoxRecord] = []
        if label:
            boxes, problems = _boxes(label, labels[label], names, size, digits[label])
            reading.report(problems)
            if problems:
                continue
        solid = tuple(box for box in boxes if has_area(box.box))
        reading.dropped += len(boxes) - len(solid)
        records[image] = ImageRecord(
            name=place_of(image)[1],
            image=tree.path(image),
            annotation=label and tree.path(label),
            boxes=solid,
            size=size,
        )
    return records


def _with_origin(
    records: Mapping[str, ImageRecord], origin: object
) -> dict[str, ImageRecord]:
    """Say who predicted the labels; not of files that are not as they were written."""
    if not is_predicted(origin):
        return dict(records)
    return {
        image: replace(record, origin=str(origin)) if _is_written(record) else record
        for image, record in records.items()
    }


def _is_written(record: ImageRecord) -> bool:
    if record.annotation is None:
        return False
    written = written_digest(record.annotation)
    with open_file(record.annotation) as file:
        return written in (None, digest(file.read()))


def _boxes(
    file: str,
    lines: Sequence[Line],
    names: Mapping[int, str],
    size: tuple[int, int],
    digits: int,
) -> tuple[list[BoxRecord], list[Problem]]:
    boxes, problems = [], []
    for index, (number, words) in enumerate(lines):
        try:
            boxes.append(parse_line(words, index, names, size, digits))
        except UserError as error:
            text = f'line {number}: {error}'
            problems.append(Problem('broken-annotation', text, file))
    return boxes, problems
