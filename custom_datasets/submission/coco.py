"""COCO's results format: a JSON list with a dictionary for each box.

Its definition is at https://cocodataset.org/#format-results.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import ImageInfo, PredictedBoxes
from custom_datasets.submission.boxes import DECIMALS
from custom_datasets.submission.identity import path_ends

Id = int | str


@dataclass(frozen=True)
class CocoFile:
    """What a COCO JSON says of images and categories.

    Attributes:
        path: Where it was read.
        images: The id of each image, by file name.
        categories: The id of each category, by name, in the file's order; a
            test set may have none.
    """

    path: str
    images: dict[str, Id]
    categories: dict[str, Id]


def read_coco_file(path: str) -> CocoFile:
    """Read a COCO JSON, with or without annotations.

    Raises:
        UserError: It can't be read, lists no images, or a name twice.
    """
    try:
        with open(path, encoding='utf-8-sig') as file:
            content: Any = json.load(file)
        listed = content.get('categories') or []
        pairs = [(str(one['file_name']), one['id']) for one in content['images']]
        categories = [(str(one['name']), one['id']) for one in listed]
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f'{path}: no COCO file with images (id, file_name) and categories (id, '
            f'name) ({type(error).__name__}: {error})'
        ) from error
    if not pairs:
        raise UserError(f'{path}: it lists no images')
    images = [(PurePosixPath(name).as_posix(), key) for name, key in pairs]
    return CocoFile(path, _unique(path, images), _unique(path, categories))


def coco_text(
    images: Sequence[ImageInfo],
    boxes: PredictedBoxes,
    names: Sequence[str],
    coco: CocoFile,
) -> tuple[str, list[str]]:
    """Write the boxes of all images.

    Args:
        images: All that are predicted.
        boxes: As :func:`~custom_datasets.submission.boxes.boxes_inside` has them.
        names: Names of the classes.
        coco: Has the ids.

    Returns:
        The file's text, and what to know of it, a sentence each.

    Raises:
        UserError: An image or a class is not in the COCO file, or two images
            are one there.
    """
    missing = [name for name in names if name not in coco.categories]
    if missing:
        known = ', '.join(coco.categories)
        way = f'it has {known}' if known else 'copy the categories of the training JSON'
        raise UserError(f'{coco.path}: no category {missing[0]!r}; {way}')
    categories = [coco.categories[name] for name in names]
    found: dict[Id, str] = {}
    for image in images:
        key = _image_id(image, coco)
        if key in found:
            raise UserError(
                f'{coco.path}: {found[key]} and {image.path} are both its image {key}'
            )
        found[key] = image.path
    ids = list(found)
    rows = [
        {
            'image_id': ids[image],
            'category_id': categories[label],
            'bbox': [round(v, DECIMALS) for v in (x1, y1, x2 - x1, y2 - y1)],
            'score': score,
        }
        for image, label, (x1, y1, x2, y2), score in zip(
            boxes.image.tolist(),
            boxes.label.tolist(),
            boxes.box.tolist(),
            boxes.score.tolist(),
            strict=True,
        )
    ]
    rest = len(coco.images) - len(ids)
    notes = [f'images of {coco.path} that are not predicted: {rest}'] if rest else []
    return json.dumps(rows), notes


def _unique(path: str, pairs: Sequence[tuple[str, Id]]) -> dict[str, Id]:
    found: dict[str, Id] = {}
    for name, key in pairs:
        if name in found:
            raise UserError(f'{path}: {name!r} is there twice')
        found[name] = key
    return found


def _image_id(image: ImageInfo, coco: CocoFile) -> Id:
    """Find an image's id by the longest end of its path that the file names."""
    for end in path_ends(image.path):
        if end in coco.images:
            return coco.images[end]
    raise UserError(
        f'{coco.path}: no image with the file name of {image.path or image.key}; are '
        'these the predictions on its images?'
    )
