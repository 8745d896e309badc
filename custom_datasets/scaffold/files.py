"""The files of a new data set: ``templates/`` with what its images and boxes decide."""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.images import image_size
from custom_datasets.data.reading import Source

LARGEST = (1333, 800)
"""Long and short side of an image that a detector on a GPU is trained at."""

SMALL_SIDE, SMALL_SIDE_AT_MOST = 416, 640
"""Long side on a CPU, and the one that small objects may raise it to."""

READABLE = 12
"""Pixels that an object should have at the training scale."""

LIGHT_SIDES = (64, 128)
"""Sides of images that a classifier on a CPU is trained at."""

_HUE = 0.61803398875  # A step around the circle of hues that keeps neighbours apart.


@dataclass(frozen=True)
class NewDataset:
    """What the files of a data set are made of.

    ``about`` is the comment that heads the base; ``lists`` are those that ``val`` and
    ``test`` read, where the source has them.
    """

    name: str
    about: str
    classes: tuple[str, ...]
    lists: Mapping[str, str]

    @property
    def type(self) -> str:
        """The name of the class: ``TrafficSignsDataset``."""
        return class_name(self.name)

    def holes(self) -> dict[str, object]:
        """Return what fills the holes that all templates have."""
        return {
            'name': self.name,
            'about': self.about,
            'type': self.type,
            'count': len(self.classes),
            'classes': _in_metainfo(self.classes),
            'palette': _in_metainfo(palette(len(self.classes))),
            **self.lists,
        }


def class_name(name: str) -> str:
    """Return what the class of a data set is called: ``TrafficSignsDataset``."""
    words = name.split('_')
    return ''.join(word[:1].upper() + word[1:] for word in words) + 'Dataset'


def detection_files(new: NewDataset, source: Source) -> dict[str, str]:
    """Return the files of a detection set by path under the repository."""
    holes = {
        **new.holes(),
        'package': 'mmdet',
        'base': 'VOCFolderDataset',
        'base_module': 'voc',
        **_detection_holes(source),
    }
    leaf = f'configs/{new.name}/{{}}_1xb4-24e_{new.name.replace("_", "-")}.py'
    templates = {
        **_common(new.name, 'detection'),
        leaf.format('retinanet_r50_fpn'): 'retinanet',
        leaf.format('faster-rcnn_r50_fpn'): 'faster_rcnn',
        leaf.format('rtmdet_tiny'): 'rtmdet',
    }
    return {path: _fill(template, holes) for path, template in templates.items()}


def classification_files(new: NewDataset, source: Source) -> dict[str, str]:
    """Return the files of a classification set by path under the repository."""
    holes = {
        **new.holes(),
        'package': 'mmpretrain',
        'base': 'ClassListDataset',
        'base_module': 'class_list',
        'small_side': light_side(source),
    }
    leaf = f'configs/{new.name}/{{}}_1xb32-30e_{new.name.replace("_", "-")}.py'
    templates = _common(new.name, 'classification')
    written = {path: _fill(template, holes) for path, template in templates.items()}
    for depth in (18, 50):
        path = leaf.format(f'resnet{depth}')
        written[path] = _fill('resnet', {**holes, 'depth': depth})
    return {**written, leaf.format('resnet18_light'): _fill('resnet_light', holes)}


def training_scale(sizes: NDArray[np.float64]) -> tuple[int, int]:
    """Return width and height to train at: the median image, reduced to what fits.

    ``sizes`` are widths and heights in pixels, shape (n, 2).
    """
    width, height = np.median(sizes, axis=0)
    long, short = max(width, height), min(width, height)
    factor = min(1.0, LARGEST[0] / long, LARGEST[1] / short)
    return round(width * factor), round(height * factor)


def small_training_scale(
    scale: tuple[int, int], sides: NDArray[np.float64]
) -> tuple[int, int]:
    """Return a scale for a CPU, larger where objects would hardly be seen.

    ``sides`` are square roots of the boxes' areas at the given scale, in pixels.
    """
    long = max(scale)
    side = min(long, SMALL_SIDE)
    smallest = float(np.percentile(sides, 10)) if len(sides) else READABLE
    needed = READABLE / max(smallest, 1) * long
    side = round(min(max(side, needed), long, SMALL_SIDE_AT_MOST))
    return round(scale[0] * side / long), round(scale[1] * side / long)


def anchor_scale(sides: NDArray[np.float64]) -> int:
    """Return the ``octave_base_scale`` whose smallest anchor fits small boxes.

    ``sides`` are square roots of their areas at the training scale, in pixels.
    """
    smallest = float(np.percentile(sides, 10)) if len(sides) else 32.0
    return next((scale for scale in (4, 2) if 8 * scale <= 1.25 * smallest), 1)


def light_side(source: Source) -> int:
    """Return the side, in pixels, that a classifier trains at on a CPU."""
    images = [image for part in source.splits.values() for image in part]
    sides = [min(image_size(str(image.image))) for image in images]
    return next(
        (side for side in LIGHT_SIDES if 1.5 * side >= np.median(sides or [0])),
        LIGHT_SIDES[-1],
    )


def palette(count: int) -> list[tuple[int, int, int]]:
    """Return well separated RGB colours, the same for the same count."""
    colours = (
        colorsys.hsv_to_rgb((index * _HUE) % 1, 0.75, 0.85) for index in range(count)
    )
    return [(int(r * 255), int(g * 255), int(b * 255)) for r, g, b in colours]


def _common(name: str, task: str) -> dict[str, str]:
    return {
        f'custom_datasets/datasets/{name}.py': 'module',
        f'configs/_base_/datasets/{name}.py': task,
        f'configs/_base_/datasets/{name}_light.py': f'{task}_light',
        f'tests/datasets/test_{name}.py': 'test',
    }


def _fill(template: str, holes: Mapping[str, object]) -> str:
    path = files('custom_datasets.scaffold') / 'templates' / f'{template}.py.txt'
    return Template(path.read_text(encoding='utf-8')).substitute(holes)


def _detection_holes(source: Source) -> dict[str, object]:
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
    anchors = anchor_scale(sides)
    return {
        'scale': scale,
        'larger': tuple(round(1.1 * side) for side in scale),
        'small_scale': small_training_scale(scale, sides),
        'anchor_scale': anchors,
        'rpn_scale': 2 * anchors,
        'smallest_anchor': 8 * anchors,
        'one_based': source.counts_from != 0,
    }


def _in_metainfo(items: Sequence[object]) -> str:
    """Write a tuple or a list as ruff would, inside METAINFO."""
    line = repr(items)
    if len(line) <= 67:
        return line
    lines = ''.join(f'            {item!r},\n' for item in items)
    return f'{line[0]}\n{lines}        {line[-1]}'
