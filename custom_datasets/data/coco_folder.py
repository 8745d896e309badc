"""A folder of COCO JSON files and images: read and written.

Any folder with JSON files of boxes in it is read; ``annotations/<part>.json`` and
``images`` are written.
"""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from custom_datasets.config import is_fold_folder
from custom_datasets.data.coco import CocoFile, looks_like_coco, parse_coco
from custom_datasets.data.images import image_size
from custom_datasets.data.marks import ORIGIN, ORIGIN_DIGEST, boxes_digest
from custom_datasets.data.names import EmptyListError
from custom_datasets.data.numbers import as_number, subtract
from custom_datasets.data.problems import TOLERATED, Problem
from custom_datasets.data.reading import Reading, Source, group_by_split
from custom_datasets.data.records import ImageRecord, has_area
from custom_datasets.data.tree import (
    Tree,
    image_at,
    images_in,
    place_of,
    split_in,
    split_of,
)
from custom_datasets.errors import UserError
from custom_datasets.files import write_text

IMAGES = 'images'
FOLDER = 'annotations'
# What a split, or a conversion, writes.
WRITTEN = ('train.json', 'val.json', 'test.json')

_COUNTS_FROM = 'voc_counts_from'


def find_coco(tree: Tree) -> list[str]:
    """List the JSON files that look like COCO."""
    found = []
    for file in tree.ending('.json'):
        try:
            content = tree.load_json(file)
        except UserError:
            continue
        if looks_like_coco(content):
            found.append(file)
    return found


def read_coco(tree: Tree, reading: Reading, counts_from: int | None = None) -> Source:
    """Read a folder; an image with an object that can't be read is left out."""
    parts = _parts(tree)
    broken = tree.broken_json()
    if not parts:
        raise next(
            iter(broken),
            UserError(f'{tree.name}: no JSON file with images and categories'),
        )
    reading.notes += [f'{error}; left out' for error in broken]
    if not any(tree.load_json(file).get('annotations') for file in parts):
        # A competition's test set may lack them, a whole data set may not.
        parse_coco(file := next(iter(parts)), tree.load_json(file))
    files = {}
    for file in parts:
        try:
            files[file] = _read_part(tree, file, parts[file], reading)
        except EmptyListError as error:
            if len(parts) == 1:
                raise
            reading.notes.append(f'{error}; left out')
    groups = _groups(files.values())
    reading.note(
        sorted(groups),
        'categories only group others and are left out',
        'category only groups others and is left out',
    )
    wholes = _wholes(parts, files)
    _require_apart(tree, parts, files, wholes)
    for file in files:
        if file in wholes:
            parts[file] = None
        elif len(files) - len(wholes) > 1:
            parts[file] = parts[file] or os.path.splitext(os.path.basename(file))[0]
    chosen = _placed(tree, parts, files, wholes, reading)
    named = {record.image for coco in files.values() for record in coco.images}
    others = [image for image in tree.images if image not in named]
    reading.note(others, 'images that no JSON file names left out')
    names = [name for coco in files.values() for name in _by_id(coco)]
    infos = [coco.content.get('info') for coco in files.values()]
    from_zero = any(isinstance(i, dict) and i.get(_COUNTS_FROM) == 0 for i in infos)
    return Source(
        format='coco',
        root=tree.root,
        classes=tuple(name for name in dict.fromkeys(names) if name not in groups),
        splits=group_by_split(chosen),
        counts_from=0 if from_zero else None,
    )


def _parts(tree: Tree) -> dict[str, str | None]:
    """Return the part that each file is by its name or its folder, if any.

    Those of folds are copies, and left out beside others.
    """
    files = [file for file in find_coco(tree) if _has_boxes(tree.load_json(file))]
    copies = [f for f in files if any(map(is_fold_folder, f.split('/')[:-1]))]
    parts: dict[str, str | None] = {}
    for file in [f for f in files if f not in copies] or files:
        *folders, name = file.split('/')
        folder = next(filter(None, map(split_of, reversed(folders))), None)
        parts[file] = split_in(os.path.splitext(name)[0]) or folder
    return parts


def _wholes(parts: Mapping[str, str | None], files: Mapping[str, CocoFile]) -> set[str]:
    """Return the files of which others are parts: those have some of its images.

    Such a part is one by name, where the whole is none, or was written by a split.
    """
    images = {
        file: {record.image for record in coco.images if record.image}
        for file, coco in files.items()
    }
    written = {file for file in files if _is_written(file)}
    return {
        whole
        for whole in images.keys() - written
        if any(
            images[part] and images[part] <= images[whole]
            for part in images.keys() - {whole}
            if part in written or (parts[part] and not parts[whole])
        )
    }


def _require_apart(
    tree: Tree,
    parts: Mapping[str, str | None],
    files: Mapping[str, CocoFile],
    wholes: Collection[str],
) -> None:
    """Raise a UserError if files that are no part by name share images."""
    owners: dict[str, str] = {}
    for file, coco in files.items():
        if parts[file] or file in wholes:
            continue
        for record in coco.images:
            owner = owners.setdefault(str(record.image), file)
            if record.image and owner != file:
                raise several_files(tree.name, [owner, file])


def several_files(root: str, files: Sequence[str]) -> UserError:
    """Return the error for JSONs of which only one can be meant."""
    text = f'several COCO JSONs, keep or name one: {", ".join(files)}'
    return UserError(f'{root}: {text}')


def _is_written(file: str) -> bool:
    """Say whether a file has a name and a folder as a split gives them."""
    folder, name = os.path.split(file)
    return name in WRITTEN and os.path.basename(folder) == FOLDER


def _read_part(tree: Tree, file: str, split: str | None, reading: Reading) -> CocoFile:
    near = file.rpartition('/')[0]
    content = tree.load_json(file)
    folder = image_folder(tree.path(file), content, tree.root)

    find = images_in(folder, tree.root) if folder else None

    def find_image(name: str) -> str:
        if find is None:
            return tree.find_image(name, near, split)
        try:
            path = find(name)
        except UserError as error:
            raise UserError(str(error).replace(tree.root, tree.name)) from error
        return os.path.relpath(path, tree.root).replace(os.sep, '/')

    coco, problems = parse_coco(file, content, find_image, needs_truth=False)
    reading.report(problems)
    reading.notes += [str(p) for p in problems if p.code in TOLERATED]
    return coco


def _placed(
    tree: Tree,
    parts: Mapping[str, str | None],
    files: Mapping[str, CocoFile],
    wholes: Collection[str],
    reading: Reading,
) -> list[tuple[str | None, ImageRecord]]:
    """Return the sound images, each in its part, named by where they are.

    What a whole shares with its parts is taken from these.
    """
    in_parts = {
        r.image for f, coco in files.items() if f not in wholes for r in coco.images
    }
    records: dict[tuple[str | None, str], ImageRecord] = {}
    repeated = set()
    shared: Counter[str] = Counter()
    for file, coco in files.items():
        for record in coco.images:
            if record.image is None or record.name in coco.broken:
                continue
            if file in wholes and record.image in in_parts:
                shared[file] += 1
                continue
            place = parts[file], record.image
            name = place_of(record.image)[1]
            if place in records:
                first = str(records[place].annotation).removeprefix(tree.path(''))
                text = f'{name} is in {first} as well'
                reading.report([Problem('listed-twice', text, file)])
                repeated.add(place)
                continue
            solid = tuple(box for box in record.boxes if has_area(box.box))
            reading.dropped += len(record.boxes) - len(solid)
            records[place] = replace(
                record,
                name=name,
                image=tree.path(record.image),
                annotation=tree.path(file),
                boxes=solid,
                filename=record.name,
            )
    for file, count in shared.items():
        text = 'of its images are in other JSON files, its parts, and taken from there'
        reading.notes.append(f'{file}: {count} {text}')
    return [(place[0], r) for place, r in records.items() if place not in repeated]


def image_folder(path: str, content: Any, root: str) -> str | None:
    """Return the folder from which most images are where they are said to be."""
    beside = os.path.dirname(path)
    parents = (beside, os.path.normpath(os.path.join(beside, '..')))
    folders = [os.path.join(p, inner) for p in parents for inner in (IMAGES, '')]
    names = file_names(content)
    counts = {
        folder: sum(image_at(folder, name, root) is not None for name in names)
        for folder in folders
    }
    best = max(folders, key=lambda folder: counts[folder])
    return best if counts[best] else None


def file_names(content: Any) -> list[str]:
    """List the names that a COCO JSON gives its images."""
    entries = _objects(content, 'images') if isinstance(content, dict) else []
    return [str(entry.get('file_name')) for entry in entries]


def _has_boxes(content: Mapping[str, Any]) -> bool:
    """Say whether a file may be about boxes: captions are not."""
    items = _objects(content, 'annotations')
    return not items or not all('caption' in item for item in items)


def _objects(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = content.get(key)
    return [e for e in entries if isinstance(e, dict)] if type(entries) is list else []


def _by_id(coco: CocoFile) -> list[str]:
    ordered = sorted(
        coco.categories, key=lambda pair: (len(str(pair[0])), str(pair[0]))
    )
    return [name for _, name in ordered]


def _groups(files: Iterable[CocoFile]) -> set[str]:
    """Return the categories that are a ``supercategory`` of others and have no box.

    Roboflow's exports begin with such a category.
    """
    above, names, used = set(), set(), set()
    for coco in files:
        for item in _objects(coco.content, 'categories'):
            if item.get('supercategory') not in (None, '', item.get('name')):
                above.add(str(item['supercategory']).strip())
        names |= {name for _, name in coco.categories}
        used |= {box.name for image in coco.images for box in image.boxes}
    return (names & above) - used


def write_coco(source: Source, names: Mapping[str, Sequence[str]], folder: str) -> None:
    """Write ``annotations/<part>.json`` beside ``folder``'s ``images``.

    That a VOC source counts pixels from 0 is noted in ``info``, so that converting back
    gives its numbers again.
    """
    ids = {name: index for index, name in enumerate(source.classes, 1)}
    categories = [{'id': number, 'name': name} for name, number in ids.items()]
    info: dict[str, Any] = {} if source.counts_from != 0 else {_COUNTS_FROM: 0}
    for split, records in source.splits.items():
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, record in enumerate(records, 1):
            width, height = record.size or image_size(str(record.image))
            images.append(
                {
                    'id': number,
                    'file_name': names[split][number - 1],
                    'width': width,
                    'height': height,
                    **_mark(record),
                }
            )
            for box in record.boxes:
                x1, y1, x2, y2 = box.box
                wide, tall = subtract(x2, x1), subtract(y2, y1)
                annotations.append(
                    {
                        'id': len(annotations) + 1,
                        'image_id': number,
                        'category_id': ids[box.name],
                        'bbox': [as_number(side) for side in (x1, y1, wide, tall)],
                        'area': as_number(wide * tall),
                        'iscrowd': int(box.difficult),
                        **({} if box.score is None else {'score': box.score}),
                    }
                )
        data = {
            'info': info,
            'images': images,
            'annotations': annotations,
            'categories': categories,
        }
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
        write_text(f'{folder}/annotations/{split}.json', f'{text}\n')


def _mark(record: ImageRecord) -> dict[str, str]:
    if not record.origin:
        return {}
    return {ORIGIN: record.origin, ORIGIN_DIGEST: boxes_digest(record.boxes)}
