"""A new data set from an export: data, module, configs, split lists and a test."""

import importlib.util
import keyword
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.convert import convert, read_source
from custom_datasets.data.images import image_size
from custom_datasets.data.names import read_classes
from custom_datasets.data.reading import CLASS_LIST, UNLISTED, Source
from custom_datasets.data.split import split_dataset
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.files import read_mark, write_text
from custom_datasets.scaffold.templates import (
    NewDataset,
    class_name,
    classification_files,
    detection_files,
)

_PACKAGES = ('mmdet', 'mmpretrain')


def dataset_name(name: str) -> str:
    """Return a name that can be a module, or raise.

    Raises:
        ConfigError: It has other characters than letters, digits, hyphens and
            underscores, begins with a digit, or is Python's own; or its class
            would be called like one of mmdet or mmpretrain.
    """
    module = name.strip().lower().replace('-', '_')
    if not re.fullmatch(r'[a-z][a-z0-9_]*', module) or keyword.iskeyword(module):
        raise ConfigError(
            f'{name!r} cannot be the name of a module: use letters, digits and '
            'underscores, beginning with a letter'
        )
    stock = next((p for p in _PACKAGES if class_name(module) in _classes(p)), None)
    if stock:
        raise ConfigError(
            f'{class_name(module)} is a class of {stock}; choose another name'
        )
    return module


def _classes(package: str) -> set[str]:
    """Read the names of a package's data sets, without the import that takes long."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return {
        name
        for folder in folders or ()
        for file in Path(folder, 'datasets').glob('*.py')
        for name in re.findall(r'^class (\w+)', file.read_text(encoding='utf-8'), re.M)
    }


LARGEST = (1333, 800)
"""Long and short side of an image that a detector on a GPU is trained at."""

SMALL_SIDE, SMALL_SIDE_AT_MOST = 416, 640
"""Long side on a CPU, and the one that small objects may raise it to."""

READABLE = 12
"""Pixels that an object should have at the training scale."""

LIGHT_SIDES = (64, 128)
"""Sides of images that a classifier on a CPU is trained at."""


def detection_scales(source: Source) -> dict[str, Any]:
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


RATIOS = {'train': 8, 'val': 1, 'test': 1}


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
        group_by: See :func:`~custom_datasets.data.split.split_dataset`.
        seed: Of the split, if the source has none, or none to validate on.
            Classes with too few images for every part are trained on only.

    Returns:
        What was converted and split; the files that were written, under the
        repository; and the leaf to begin with.

    Raises:
        ConfigError: The name can't be used.
        UserError: A file is there already, or the source can't be read or is of
            one class only. What was converted is removed again.
    """
    name = dataset_name(name)
    data = os.path.join(repository, 'data', name)
    _require_free(repository, name)
    there = _require_made_of(source, data)
    if there:
        converted = f'{data}: there already, and used as it is'
    else:
        converted = convert(source, data, source_format=format)
    detection = os.path.isdir(os.path.join(data, 'Annotations'))
    try:
        _require_classes(source, data, detection)
        report = [converted, *_divide(data, detection, group_by, seed)]
        new = _describe(name, source, data, detection)
        files = detection_files(new) if detection else classification_files(new)
        _write_new(repository, files)
    except (OSError, UserError):
        if not there:
            shutil.rmtree(data, ignore_errors=True)
        raise
    leaves = [
        path for path in files if path.startswith('configs/') and '_base_' not in path
    ]
    return '\n'.join(report), list(files), leaves[-1] if detection else leaves[0]


def _divide(
    data: str, detection: bool, group_by: re.Pattern[str] | None, seed: int
) -> list[str]:
    """Write the lists that the source lacks, and return what is to be known."""
    lists = _lists(data, detection)
    parts = _parts(lists)
    if parts >= {'train', 'val'}:
        lack = [] if 'test' in parts else ['no test part: tested on the validation set']
        return [*lack, *_without_truth(data, detection)]
    ratios, test_list, exclude = RATIOS, None, None
    if parts == {'train', 'test'}:
        ratios = {'train': 8, 'val': 1}
        test_list = os.path.join(lists, 'test.txt')
        exclude = _list_unlisted(data) if detection else None
    split = split_dataset(
        data,
        ratios,
        test_list=test_list,
        group_by=group_by,
        exclude=exclude,
        few_to_train=True,
        seed=seed,
        overwrite=True,
    )
    if not test_list:
        return [split]
    note = 'no validation part: a ninth of train is it; test is as the source has it'
    return [note, *_without_truth(data, detection), split]


def _describe(name: str, source: str, data: str, detection: bool) -> NewDataset:
    parts = _parts(_lists(data, detection))
    new = NewDataset(
        name=name,
        about=f'Converted from {os.path.basename(os.path.abspath(source))}.',
        classes=read_classes(os.path.join(data, CLASS_LIST)),
        data_root=f'{{{{ fileDirname }}}}/../../../data/{name}',
        lists={part: part if part in parts else 'val' for part in RATIOS},
    )
    if detection:
        return replace(new, **detection_scales(read_source(data, 'voc')))
    side = light_side(read_source(data, 'class-folders'))
    return replace(new, small_scale=(side, side))


def _lists(data: str, detection: bool) -> str:
    return os.path.join(data, 'ImageSets', 'Main') if detection else data


def _parts(folder: str) -> set[str]:
    return {p for p in RATIOS if os.path.exists(os.path.join(folder, f'{p}.txt'))}


def _list_unlisted(data: str) -> str | None:
    """List the annotated images that the source has in no part, if there are any.

    Class folders have them in a folder that is no part.
    """
    root = os.path.join(data, 'Annotations')
    names = [
        os.path.splitext(os.path.relpath(str(record.annotation), root))[0]
        for record in read_source(data, 'voc').splits.get(UNLISTED, ())
    ]
    if not names:
        return None
    path = os.path.join(_lists(data, detection=True), f'{UNLISTED}.txt')
    write_text(path, ''.join(f'{name}\n' for name in names))
    return path


def _without_truth(data: str, detection: bool) -> list[str]:
    """Say that the test part has no objects, as that of a competition."""
    test = read_source(data, 'voc').splits.get('test', ()) if detection else ()
    if not test or any(record.boxes for record in test):
        return []
    return ['no image of the test part has an object, so nothing is measured on it']


def _require_made_of(source: str, data: str) -> bool:
    """Say whether the data are there already, of the same source.

    Raises:
        UserError: They are of another one, or the source is in their folder.
    """
    made_of = read_mark(data)
    converted = os.path.exists(os.path.join(data, CLASS_LIST))
    real, place = os.path.realpath(source), os.path.realpath(data)
    shown = os.path.join('data', os.path.basename(data))
    if os.path.commonpath([real, place]) == place:
        if made_of is not None and converted and real == place:
            return True
        raise UserError(
            f'{source}: is where the data set would be made; move it out of {shown}, '
            'or choose another name'
        )
    if made_of is None:
        return False
    # Older ones do not say what they are of.
    if not converted or made_of not in ('', real):
        what = f'was made of {made_of}' if made_of else 'is another data set'
        raise UserError(f'{shown} {what}; remove it, or choose another name')
    return True


def _require_classes(source: str, data: str, detection: bool) -> None:
    classes = read_classes(os.path.join(data, CLASS_LIST))
    if not detection and len(classes) < 2:
        raise UserError(
            f'{source}: images of one class only ({classes[0]}); give the folder that '
            'holds the class folders'
        )


def _require_free(repository: str, name: str) -> None:
    slug = name.replace('_', '-')
    places = [
        f'custom_datasets/datasets/{name}',
        f'custom_datasets/datasets/{name}.py',
        f'configs/_base_/datasets/{name}.py',
        f'configs/_base_/datasets/{name}_light.py',
        f'configs/{name}',
        f'tests/datasets/test_{name}.py',
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
