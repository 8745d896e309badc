"""How labels are called: by number, by name, by the ids of a COCO file."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from custom_datasets.checking.run import load_config
from custom_datasets.checking.sources import Source, find_sources
from custom_datasets.errors import UserError

STYLES = ('0', '1', 'names')
"""Numbers from 0, numbers from 1, names."""


@dataclass(frozen=True)
class CocoFile:
    """What a COCO JSON says of images and categories.

    Attributes:
        path: Where it was read.
        images: The id of each image, by file name.
        categories: The id of each category, by name, in the file's order.
    """

    path: str
    images: dict[str, int]
    categories: dict[str, int]


def read_coco_file(path: str) -> CocoFile:
    """Read a COCO JSON, with or without annotations.

    Raises:
        UserError: It can't be read, or lists no images and categories.
    """
    try:
        with open(path, encoding='utf-8') as file:
            content: Any = json.load(file)
        images = {str(one['file_name']): int(one['id']) for one in content['images']}
        categories = {str(one['name']): int(one['id']) for one in content['categories']}
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{path}: no COCO file with images (id, file_name) and categories (id, '
            f'name) ({type(error).__name__}: {error})'
        ) from error
    if not images or not categories:
        raise UserError(f'{path}: it lists no images or no categories')
    return CocoFile(path, images, categories)


def read_test_set(config: str, options: dict[str, Any]) -> Source:
    """Find what a config's test set is, without loading it.

    Raises:
        UserError: The config can't be read, or its test set is of no known kind.
    """
    cfg = load_config(config, options)
    for source in find_sources(cfg)[0]:
        if source.split == 'test':
            return source
    raise UserError(f'{config}: its test set is of no kind that names its classes')


def class_names(source: Source) -> tuple[str, ...]:
    """Return the names of a test set's classes, in the order of the labels.

    mmdet numbers the classes of a COCO file as the file lists them, whatever
    order the config names them in.

    Raises:
        UserError: There are none, or the COCO file lacks one.
    """
    names = tuple(map(str, source.classes))
    if not names:
        raise UserError(f'{source.type}: it names no classes')
    if source.kind != 'coco' or not os.path.isfile(source.ann_file):
        return names
    listed = read_coco_file(source.ann_file).categories
    missing = [name for name in names if name not in listed]
    if missing:
        raise UserError(f'{source.ann_file}: no category {missing[0]!r}')
    return tuple(name for name in listed if name in names)


def label_texts(
    most: int, style: str, names: Sequence[str] | None, separator: str = ''
) -> list[str]:
    """Write each label.

    Args:
        most: The largest label that is predicted; -1 if none is.
        style: One of ``STYLES``.
        names: Names of the classes, if they are known.
        separator: What no name may contain.

    Raises:
        UserError: A label has no name, or a name has the separator in it.
    """
    if names is not None and most >= len(names):
        raise UserError(
            f'label {most} is predicted, but there are {len(names)} classes '
            f'({", ".join(names)}); is it the config of that model?'
        )
    if style != 'names':
        return [str(label + int(style)) for label in range(max(most + 1, 1))]
    if names is None:
        raise UserError('--labels names needs the names: give --config CONFIG')
    for name in names:
        if separator and separator in name:
            raise UserError(
                f'{name!r}: a name with a space would break the columns of a '
                'prediction; use --labels 0 or 1'
            )
    return list(names)
