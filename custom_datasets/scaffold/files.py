"""What the files of a new data set have in common, whatever its task."""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GOLDEN = 0.61803398875
"""A step around the circle of hues that keeps neighbours apart."""


@dataclass(frozen=True)
class NewDataset:
    """What the files of a data set are made of.

    Attributes:
        name: Of its module and folders: ``traffic_signs``.
        about: One line for the comment that heads the base.
        classes: In the order that numbers them.
        data_root: As the base has it.
        scale: Width and height in pixels that images are trained at.
        small_scale: The same for training on a CPU.
        lists: The list that each of ``train``, ``val`` and ``test`` reads; the
            source may lack the last.
        anchor_scale: ``octave_base_scale`` of RetinaNet's anchors.
        one_based: Whether the boxes count pixels from 1.
    """

    name: str
    about: str
    classes: tuple[str, ...]
    data_root: str
    lists: Mapping[str, str]
    scale: tuple[int, int] = (224, 224)
    small_scale: tuple[int, int] = (224, 224)
    anchor_scale: int = 4
    one_based: bool = True

    @property
    def type(self) -> str:
        """The name of the class: ``TrafficSignsDataset``."""
        return class_name(self.name)

    @property
    def slug(self) -> str:
        """The name in a config's file name: ``traffic-signs``."""
        return self.name.replace('_', '-')


def class_name(name: str) -> str:
    """Return what the class of a data set is called: ``TrafficSignsDataset``."""
    words = name.split('_')
    return ''.join(word[:1].upper() + word[1:] for word in words) + 'Dataset'


def palette(count: int) -> list[tuple[int, int, int]]:
    """Return well separated RGB colours, the same for the same count."""
    colours = (
        colorsys.hsv_to_rgb((index * GOLDEN) % 1, 0.75, 0.85) for index in range(count)
    )
    return [(int(r * 255), int(g * 255), int(b * 255)) for r, g, b in colours]


def module_file(new: NewDataset, package: str, module: str, base: str) -> str:
    """Write the module that registers the set with ``mmdet`` or ``mmpretrain``."""
    return f'''"""{new.about}"""

from typing import Any

from {package}.registry import DATASETS

from custom_datasets.{module} import {base}Dataset


@DATASETS.register_module()
class {new.type}({base}Dataset):
    """{len(new.classes)} classes, numbered in the order below."""

    METAINFO: dict[str, Any] = {{
        'classes': {_tuple(new.classes)},
        'palette': {_list(palette(len(new.classes)))},
    }}
'''


def custom_imports(new: NewDataset, metric: str) -> str:
    """Write what a dataset base imports, and the number of its classes."""
    return f"""custom_imports = dict(
    imports=[
        'custom_datasets.{new.name}',
        'custom_datasets.evaluation.{metric}',
        'custom_datasets.runner',
    ],
    allow_failed_imports=False,
)
num_classes = {len(new.classes)}
"""


def loader(new: NewDataset, part: str, folder: str) -> str:
    """Write a loader; it names its list where that is another part's."""
    given = 'pipeline=test_pipeline'
    if new.lists[part] != part:
        given = f"ann_file='{folder}{new.lists[part]}.txt', {given}"
    return f'{part}_dataloader = dict(dataset=dict(**dataset, {given}))'


def leaf(model: str, schedule: str, runtime: str, dataset: str, rest: str) -> str:
    """Write a leaf config: what it inherits, and its own lines."""
    return f"""_base_ = [
    '{model}',
    '../_base_/schedules/{schedule}.py',
    '../_base_/{runtime}.py',
    '../_base_/datasets/{dataset}.py',
]
{rest}
"""


def test_file(new: NewDataset) -> str:
    """Write the test of the set."""
    return f'''"""The data set {new.name}: its class and its configs agree."""

from mmengine.config import Config

from custom_datasets.{new.name} import {new.type}
from tests.leaves import ROOT

BASE = ROOT / 'configs/_base_/datasets/{new.name}.py'


def test_the_base_counts_the_classes_and_names_the_data_set():
    cfg = Config.fromfile(BASE)
    assert cfg.num_classes == len({new.type}.METAINFO['classes'])
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.type == '{new.type}'


def test_each_class_has_a_colour():
    meta = {new.type}.METAINFO
    assert len(meta['palette']) == len(meta['classes']) == len(set(meta['classes']))
'''


def _tuple(names: Sequence[str]) -> str:
    """Write a tuple as ruff would, inside METAINFO."""
    line = '(' + ', '.join(map(repr, names)) + (',)' if len(names) == 1 else ')')
    if len(line) <= 67:
        return line
    return '(\n' + ''.join(f'            {name!r},\n' for name in names) + '        )'


def _list(colours: Sequence[tuple[int, int, int]]) -> str:
    line = repr(list(colours))
    if len(line) <= 67:
        return line
    return (
        '[\n' + ''.join(f'            {colour},\n' for colour in colours) + '        ]'
    )
