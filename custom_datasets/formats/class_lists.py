"""Lists of images and their classes beside class folders, as split.py has them."""

import os
from collections.abc import Mapping

from custom_datasets.class_names import read_lines
from custom_datasets.errors import UserError
from custom_datasets.formats.source import Reading
from custom_datasets.formats.tree import Tree

_LISTS = {'train.txt': 'train', 'val.txt': 'val', 'test.txt': 'test'}


def read_class_lists(
    tree: Tree, labels: Mapping[str, str], reading: Reading
) -> dict[str, str]:
    """Return the part of each image that a list at the top names.

    Lists are ``path<TAB>class``. All of them are read or none: one that names
    another image or class is another set's.

    Args:
        tree: The data set.
        labels: The class of each image, as its folder says.
        reading: Gets a note where the lists are not read.
    """
    # Where split.py was asked for no test part, it leaves an empty list.
    files = [f for f in _LISTS if f in tree.files and os.path.getsize(tree.path(f))]
    parts: dict[str, str] = {}
    try:
        for file in files:
            for number, line in read_lines(tree.path(file)):
                try:
                    image = _image(line, labels)
                    if image in parts:
                        raise UserError(f'{image} stands in a list already')
                except UserError as error:
                    raise UserError(f'{file}, line {number}: {error}') from error
                parts[image] = _LISTS[file]
        if files and (len(files) == 1 or 'train.txt' not in files):
            raise UserError('train.txt and another one are needed')
    except UserError as error:
        text = str(error).replace(os.path.join(tree.root, ''), '')
        reading.notes.append(f'lists not read ({", ".join(files)}): {text}')
        return {}
    return parts


def _image(line: str, labels: Mapping[str, str]) -> str:
    image, _, label = (piece.strip() for piece in line.rpartition('\t'))
    if not image:
        raise UserError('no path, tab and class')
    if image not in labels:
        raise UserError(f'{image}: no such image in a folder of a class')
    if label != labels[image]:
        raise UserError(f'{image} is in the folder of {labels[image]}, not of {label}')
    return image
