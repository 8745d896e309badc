"""A COCO JSON that is to be split: found, read, and written in parts."""

import json
import os
from collections import Counter
from contextlib import suppress
from typing import Any

from custom_datasets.data.coco import CocoFile, looks_like_coco, parse_coco
from custom_datasets.data.coco_folder import (
    FOLDER,
    IMAGES,
    WRITTEN,
    file_names,
    image_folder,
    several_files,
)
from custom_datasets.data.lists import Listed, SplitSource, choose_listed
from custom_datasets.data.names import read_lines
from custom_datasets.data.opening import load_json
from custom_datasets.data.problems import raise_refused
from custom_datasets.data.tree import images_in, tidy
from custom_datasets.data.voc import boxes_inside
from custom_datasets.errors import UserError
from custom_datasets.text import is_utf8


def find_coco_json(root: str) -> str | None:
    """Return the one COCO JSON in a folder or in its ``annotations``.

    Beside others, ``train.json`` and the like are taken for what a split has written of
    one, and a JSON without annotations for a competition's test set. Raises a UserError
    where several are left, or one that can't be read may be the one.
    """
    contents = {}
    broken = []
    for path in _json_files(root):
        try:
            content = load_json(path)
        except UserError as error:
            if os.path.basename(path) not in WRITTEN:
                broken.append(error)
            continue
        if looks_like_coco(content):
            contents[path] = bool(content.get('annotations'))
    paths = list(contents)
    paths = [p for p in paths if os.path.basename(p) not in WRITTEN] or paths
    paths = [p for p in paths if contents[p]] or paths
    is_source = any(contents[p] and os.path.basename(p) not in WRITTEN for p in paths)
    if paths and broken and not is_source:
        raise broken[0]
    if all(os.path.basename(p) in WRITTEN for p in paths):
        paths = [p for p in paths if os.path.dirname(p) == root] or paths
    if len(paths) > 1:
        raise several_files(root, paths)
    return paths[0] if paths else None


def require_sound_json(root: str) -> None:
    """Raise a UserError for a JSON file where COCO's may be that can't be read."""
    for path in _json_files(root):
        load_json(path)


def _json_files(root: str) -> list[str]:
    """List the files; a pipe or a folder is none, a link that leads nowhere is one."""
    paths = (
        os.path.join(folder, name)
        for folder in (root, os.path.join(root, FOLDER))
        for name in (sorted(os.listdir(folder)) if os.path.isdir(folder) else ())
        if name.lower().endswith('.json')
    )
    return [p for p in paths if os.path.isfile(p) or not os.path.exists(p)]


def read_coco_split(
    path: str, images: str | None = None, needs_truth: bool = True
) -> SplitSource:
    """Read a COCO JSON that is to be split; an image's name is its ``file_name``.

    Images are by default in ``images`` beside the JSON or beside its folder, or in one
    of these two folders itself.
    """
    content = load_json(path)
    root = os.path.dirname(path)
    if os.path.basename(os.path.abspath(root)) == FOLDER:
        root = os.path.dirname(root) or os.path.join(root, '..')
    folder = images or image_folder(path, content, root)
    folder = folder or _folder_by_ends(content, root)
    find_image = images_in(folder, root) if folder else None
    coco, problems = parse_coco(path, content, find_image, needs_truth=needs_truth)
    raise_refused(path, problems)
    notes: Counter[str] = Counter()
    labels: dict[str, Counter[str]] = {}
    for record in coco.images:
        solid = [box.name for box in boxes_inside(record, one_based=False)]
        labels[record.name] = Counter(solid)
        notes['boxes without area not counted'] += len(record.boxes) - len(solid)
    if folder is None:
        text = 'images not found, so not compared; --images names their folder'
        notes[text] = len(labels)
    files = {record.name: record.image for record in coco.images}

    def read(other: str) -> Listed:
        if not other.lower().endswith('.json'):
            names = (line for _, line in read_lines(other))
            return choose_listed(other, names, labels, files)
        held = read_coco_split(other, folder, needs_truth=False)
        for name in held.labels.keys() & labels.keys():
            twin = os.path.join(os.path.splitext(other)[0], name)
            ours = os.path.realpath(files[name] or twin)
            if os.path.isfile(twin) and os.path.realpath(twin) != ours:
                raise UserError(
                    f'{other}: {name} is in {path} too, and {twin} may be another '
                    'image; put the folder into file_name, in both'
                )
        return held.labels, held.images

    return SplitSource(
        root=root,
        folder=FOLDER,
        suffix='.json',
        labels=labels,
        images=files,
        render=lambda names: _subset(coco, set(names)),
        read=read,
        linked={'images': folder} if folder else {},
        file=path,
        notes=notes,
    )


def _folder_by_ends(content: Any, root: str) -> str | None:
    """Return the folder in which an image is found by the end of its name."""
    for folder in filter(os.path.isdir, (os.path.join(root, IMAGES), root or '.')):
        find_image = images_in(folder)
        for name in file_names(content):
            with suppress(UserError):
                find_image(name)
                return folder
    return None


def _subset(coco: CocoFile, names: set[str]) -> str:
    """Return the file as it is, without other images and what is annotated on them."""
    chosen = [record for record in coco.images if record.name in names]
    indices = {box.index for record in chosen for box in record.boxes}
    annotations = enumerate(coco.content['annotations'])
    content = {
        **coco.content,
        'images': [e for e in coco.content['images'] if tidy(e['file_name']) in names],
        'annotations': [item for index, item in annotations if index in indices],
    }
    text = json.dumps(content, ensure_ascii=False)
    # Half a character, where none of ours looks, is copied as it was escaped.
    return f'{text if is_utf8(text) else json.dumps(content)}\n'
