"""A new data set from an export: data, module, configs, split lists and a test."""

import keyword
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom_datasets.class_names import read_classes
from custom_datasets.converters.files import MARK, write_text
from custom_datasets.converters.split_dataset import split_dataset
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.formats import Source, convert, read_source
from custom_datasets.formats.source import CLASS_LIST
from custom_datasets.images import image_size
from custom_datasets.scaffold.classification import classification_files
from custom_datasets.scaffold.detection import detection_files
from custom_datasets.scaffold.files import NewDataset

RATIOS = {'train': 8, 'val': 1, 'test': 1}
_OTHER = {'train': 'train', 'val': 'test', 'test': 'val'}
LARGEST = (1333, 800)
"""Long and short side of an image that a detector on a GPU is trained at."""

SMALL_SIDE, SMALL_SIDE_AT_MOST = 416, 640
"""Long side on a CPU, and the one that small objects may raise it to."""

READABLE = 12
"""Pixels that an object should have at the training scale."""


LIGHT_SIDES = (64, 128)
"""Sides of images that a classifier on a CPU is trained at."""


def create_dataset(
    name: str,
    source: str,
    repository: str,
    *,
    format: str | None = None,
    group_by: re.Pattern[str] | None = None,
    seed: int = 0,
) -> tuple[str, list[str], str]:
    """Bring a data set in and write everything that it needs to be trained.

    Args:
        name: What to call it: letters, digits and underscores.
        source: A folder or a zip in any format that ``convert.py`` takes.
        repository: The folder that has ``custom_datasets`` and ``configs``.
        format: The source's format, where it can't be told by looking.
        group_by: See :func:`~custom_datasets.converters.split_dataset.split_dataset`.
        seed: Of the split, if the source has none. Classes with too few images
            for every part are trained on only.

    Returns:
        What was converted and split; the files that were written, under the
        repository; and the leaf to begin with.

    Raises:
        ConfigError: The name can't be used.
        UserError: A file is there already, or the source can't be read.
    """
    name = dataset_name(name)
    data = os.path.join(repository, 'data', name)
    _require_free(repository, name)
    report = []
    if os.path.exists(os.path.join(data, MARK)):
        report.append(f'{data}: there already, and used as it is')
    else:
        report.append(convert(source, data, source_format=format))
    detection = os.path.isdir(os.path.join(data, 'Annotations'))
    lists = os.path.join(data, 'ImageSets', 'Main') if detection else data
    if not {'val', 'test'} & _parts(lists) or 'train' not in _parts(lists):
        split = split_dataset(
            data,
            RATIOS,
            group_by=group_by,
            few_to_train=True,
            seed=seed,
            overwrite=True,
        )
        report.append(split)
    parts = _parts(lists)
    new = NewDataset(
        name=name,
        about=f'Converted from {os.path.basename(os.path.abspath(source))}.',
        classes=read_classes(os.path.join(data, CLASS_LIST)),
        data_root=f'{{{{ fileDirname }}}}/../../../data/{name}',
        lists={
            part: part if part in parts else other for part, other in _OTHER.items()
        },
    )
    if detection:
        new = replace(new, **_shape(read_source(data, 'voc')))
    else:
        side = light_side(read_source(data, 'class-folders'))
        new = replace(new, small_scale=(side, side))
    files = detection_files(new) if detection else classification_files(new)
    _write_new(repository, files)
    leaves = [
        path for path in files if path.startswith('configs/') and '_base_' not in path
    ]
    return '\n'.join(report), list(files), leaves[-1] if detection else leaves[0]


def dataset_name(name: str) -> str:
    """Return a name that can be a module, or raise.

    Raises:
        ConfigError: It has other characters than letters, digits, hyphens and
            underscores, begins with a digit, or is Python's own.
    """
    module = name.strip().lower().replace('-', '_')
    if not re.fullmatch(r'[a-z][a-z0-9_]*', module) or keyword.iskeyword(module):
        raise ConfigError(
            f'{name!r} cannot be the name of a module: use letters, digits and '
            'underscores, beginning with a letter'
        )
    return module


def training_scale(sizes: NDArray[np.float64]) -> tuple[int, int]:
    """Return the scale to train at: the median image, reduced to what fits.

    Args:
        sizes: ``(n, 2)``, width and height of each image in pixels.

    Returns:
        Width and height in pixels.
    """
    width, height = np.median(sizes, axis=0)
    long, short = max(width, height), min(width, height)
    factor = min(1.0, LARGEST[0] / long, LARGEST[1] / short)
    return round(width * factor), round(height * factor)


def small_training_scale(
    scale: tuple[int, int], sides: NDArray[np.float64]
) -> tuple[int, int]:
    """Return a scale for a CPU, larger where objects would hardly be seen.

    Args:
        scale: From :func:`training_scale`.
        sides: Square roots of the boxes' areas at that scale, in pixels.
    """
    long = max(scale)
    side = min(long, SMALL_SIDE)
    smallest = float(np.percentile(sides, 10)) if len(sides) else READABLE
    needed = READABLE / max(smallest, 1) * long
    side = round(min(max(side, needed), long, SMALL_SIDE_AT_MOST))
    return round(scale[0] * side / long), round(scale[1] * side / long)


def anchor_scale(sides: NDArray[np.float64]) -> int:
    """Return the ``octave_base_scale`` whose smallest anchor fits small boxes.

    Args:
        sides: Square roots of the boxes' areas at the training scale, in pixels.
    """
    smallest = float(np.percentile(sides, 10)) if len(sides) else 32.0
    return next((scale for scale in (4, 2) if 8 * scale <= 1.25 * smallest), 1)


def light_side(source: Source) -> int:
    """Return the side, in pixels, that a classifier trains at on a CPU."""
    sides = []
    for image in (image for part in source.splits.values() for image in part):
        # What can't be read is what the check is about to name.
        with suppress(UserError):
            sides.append(min(image_size(str(image.image))))
    return next(
        (side for side in LIGHT_SIDES if 1.5 * side >= np.median(sides or [0])),
        LIGHT_SIDES[-1],
    )


def _parts(folder: str) -> set[str]:
    return {p for p in RATIOS if os.path.exists(os.path.join(folder, f'{p}.txt'))}


def _shape(source: Source) -> dict[str, Any]:
    """Return what a detection set's boxes and images decide."""
    images = [image for part in source.splits.values() for image in part]
    sizes = np.array([image.size for image in images], np.float64)
    scale = training_scale(sizes)
    factors = np.minimum(max(scale) / sizes.max(1), min(scale) / sizes.min(1))
    boxes = np.array(
        [
            (factor * (box.box[2] - box.box[0]), factor * (box.box[3] - box.box[1]))
            for image, factor in zip(images, factors, strict=True)
            for box in image.boxes
        ],
        np.float64,
    ).reshape(-1, 2)
    sides = np.sqrt(boxes.clip(0).prod(1))
    sides = sides[sides > 0]
    return {
        'scale': scale,
        'small_scale': small_training_scale(scale, sides),
        'anchor_scale': anchor_scale(sides),
        'one_based': source.counts_from != 0,
    }


def _require_free(repository: str, name: str) -> None:
    slug = name.replace('_', '-')
    places = [
        f'custom_datasets/{name}',
        f'custom_datasets/{name}.py',
        f'configs/_base_/datasets/{name}.py',
        f'configs/_base_/datasets/{name}_light.py',
        f'configs/{name}',
        f'tests/test_{name}.py',
    ]
    there = [p for p in places if os.path.exists(os.path.join(repository, p))]
    if there:
        raise UserError(
            f'{there[0]}: already there, and nothing is overwritten; give {slug} '
            'another name, or remove it yourself'
        )


def _write_new(repository: str, files: Mapping[str, str]) -> None:
    """Write all files or none; never over one that is there."""
    written: list[str] = []
    try:
        for path, text in files.items():
            full = os.path.join(repository, path)
            if os.path.exists(full):
                raise UserError(f'{full}: already there, and nothing is overwritten')
            written.append(full)
            write_text(full, text)
    except (OSError, UserError) as error:
        for full in written:
            if os.path.exists(full):
                os.remove(full)
        raise UserError(f'{error}; nothing was written') from error
