"""Where a YOLO set's class names, label files and parts are."""

import posixpath
from typing import Any

import yaml  # type: ignore[import-untyped]

from custom_datasets.class_names import read_lines
from custom_datasets.errors import UserError
from custom_datasets.formats.pairing import Lists, read_list
from custom_datasets.formats.paths import split_of
from custom_datasets.formats.source import CLASS_LIST, Reading
from custom_datasets.formats.tree import Tree
from custom_datasets.formats.yolo_labels import holds_labels

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
