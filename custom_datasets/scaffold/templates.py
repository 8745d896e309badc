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

from custom_datasets.datasets.{module} import {base}Dataset


@DATASETS.register_module()
class {new.type}({base}Dataset):
    """{len(new.classes)} classes, numbered in the order below."""

    METAINFO: dict[str, Any] = {{
        'classes': {_tuple(new.classes)},
        'palette': {_list(palette(len(new.classes)))},
    }}
'''


def custom_imports(new: NewDataset, task: str) -> str:
    """Write what a dataset base imports, and the number of its classes."""
    return f"""custom_imports = dict(
    imports=[
        'custom_datasets.datasets.{new.name}',
        'custom_datasets.{task}',
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

from custom_datasets.datasets.{new.name} import {new.type}
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


def detection_files(new: NewDataset) -> dict[str, str]:
    """Return the files of a detection set by path under the repository."""
    leaves = f'configs/{new.name}'
    return {
        f'custom_datasets/datasets/{new.name}.py': module_file(
            new, 'mmdet', 'voc', 'VOCFolder'
        ),
        f'configs/_base_/datasets/{new.name}.py': _detection_base(new),
        f'configs/_base_/datasets/{new.name}_light.py': _light_base(new),
        f'{leaves}/retinanet_r50_fpn_1xb4-24e_{new.slug}.py': _retinanet(new),
        f'{leaves}/faster-rcnn_r50_fpn_1xb4-24e_{new.slug}.py': _faster_rcnn(new),
        f'{leaves}/rtmdet_tiny_1xb4-24e_{new.slug}.py': _rtmdet(new),
        f'tests/datasets/test_{new.name}.py': test_file(new),
    }


def _detection_base(new: NewDataset) -> str:
    origin = '' if new.one_based else '\n    one_based=False,'
    return f"""# {new.about}
_base_ = './voc_detection.py'

{custom_imports(new, 'detection')}
resize = dict(type='Resize', scale={new.scale}, keep_ratio=True)
train_pipeline = [
    _base_.load,
    _base_.annotate,
    resize,
    dict(type='RandomFlip', prob=0.5),
    _base_.pack,
]
test_pipeline = [_base_.load, resize, _base_.annotate, _base_.pack_test]
larger = {_larger(new.scale)}
tta_scales = [resize, dict(type='Resize', scale=larger, keep_ratio=True)]
tta_pipeline = [
    _base_.load,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

dataset = dict(
    type='{new.type}',
    data_root='{new.data_root}',{origin}
)
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
{loader(new, 'val', 'ImageSets/Main/')}
{loader(new, 'test', 'ImageSets/Main/')}
"""


def _larger(scale: tuple[int, int]) -> tuple[int, int]:
    """Return the second scale of --tta."""
    return round(1.1 * scale[0]), round(1.1 * scale[1])


def _light_base(new: NewDataset) -> str:
    padded = tuple(-(-side // 32) * 32 for side in new.small_scale)
    return f"""# The same at a size for a CPU.
_base_ = './{new.name}.py'

# mmdet wants (width, height); 32 is the largest stride.
scale = {new.small_scale}
padded = {padded}
train_pipeline = [
    _base_.load,
    _base_.annotate,
    dict(type='RandomResize', scale=scale, ratio_range=(0.9, 1.2), keep_ratio=True),
    dict(type='RandomCrop', crop_size=padded),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=padded, pad_val=dict(img=(114, 114, 114))),
    _base_.pack,
]
resize = dict(type='Resize', scale=scale, keep_ratio=True)
# The batch is padded later, so that boxes end at the image's edge.
test_pipeline = [_base_.load, resize, _base_.annotate, _base_.pack_test]
larger = {_larger(new.small_scale)}
tta_scales = [resize, dict(type='Resize', scale=larger, keep_ratio=True)]
tta_pipeline = [
    _base_.load,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

# One worker: two would take the cores away from the network.
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
"""


def _retinanet(new: NewDataset) -> str:
    head = 'model = dict(bbox_head=dict(num_classes=_base_.num_classes))'
    if new.anchor_scale != 4:
        head = f"""# Boxes are small: anchors from {8 * new.anchor_scale} pixels on.
model = dict(
    bbox_head=dict(
        num_classes=_base_.num_classes,
        anchor_generator=dict(octave_base_scale={new.anchor_scale}),
    )
)"""
    rest = f'{head}\noptim_wrapper = dict(optimizer=dict(lr=0.01))'
    model = 'mmdet::_base_/models/retinanet_r50_fpn.py'
    return leaf(model, 'sgd_24e', 'det_runtime', new.name, rest)


def _faster_rcnn(new: NewDataset) -> str:
    head = 'roi_head=dict(bbox_head=dict(num_classes=_base_.num_classes))'
    rest = f'model = dict({head})'
    if new.anchor_scale != 4:
        rest = f"""# Boxes are small: anchors from {8 * new.anchor_scale} pixels on.
model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[{2 * new.anchor_scale}])),
    {head},
)"""
    model = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'
    return leaf(model, 'sgd_24e', 'det_runtime', new.name, rest)


def _rtmdet(new: NewDataset) -> str:
    rest = 'model = dict(bbox_head=dict(num_classes=_base_.num_classes))'
    model = '../_base_/models/rtmdet_tiny.py'
    return leaf(model, 'adamw_24e', 'det_runtime', f'{new.name}_light', rest)


def classification_files(new: NewDataset) -> dict[str, str]:
    """Return the files of a classification set by path under the repository."""
    leaves = f'configs/{new.name}'
    module = module_file(new, 'mmpretrain', 'class_list', 'ClassList')
    return {
        f'custom_datasets/datasets/{new.name}.py': module,
        f'configs/_base_/datasets/{new.name}.py': _classification_base(new),
        f'configs/_base_/datasets/{new.name}_light.py': _light_classification(new),
        f'{leaves}/resnet18_1xb32-30e_{new.slug}.py': _resnet(new, 18),
        f'{leaves}/resnet50_1xb32-30e_{new.slug}.py': _resnet(new, 50),
        f'{leaves}/resnet18_light_1xb32-30e_{new.slug}.py': _light_resnet(new),
        f'tests/datasets/test_{new.name}.py': test_file(new),
    }


def _resnet(new: NewDataset, depth: int) -> str:
    rest = f"""model = dict(
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet{depth}')
    ),
    head=dict(num_classes=_base_.num_classes, topk=(1,)),
)"""
    model = f'mmpretrain::_base_/models/resnet{depth}.py'
    return leaf(model, 'sgd_cls_30e', 'cls_runtime', new.name, rest)


def _light_resnet(new: NewDataset) -> str:
    rest = """model = dict(head=dict(num_classes=_base_.num_classes))
# From scratch it takes ten times the rate; lr is for 64 images.
optim_wrapper = dict(optimizer=dict(lr=0.1))
auto_scale_lr = dict(base_batch_size=64)"""
    model = '../_base_/models/resnet18_light.py'
    return leaf(model, 'sgd_cls_30e', 'cls_runtime', f'{new.name}_light', rest)


def _classification_base(new: NewDataset) -> str:
    return f"""# {new.about}
_base_ = './class_list.py'

{custom_imports(new, 'classification')}data_preprocessor = dict(num_classes=num_classes)

load = dict(type='LoadImageFromFile')
pack = dict(type='PackInputs')
# Take the flip out where left and right are different classes, as on road signs.
changes = [
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.2, contrast=0.2),
]
{_class_pipelines(224)}
dataset = dict(
    type='{new.type}',
    data_root='{new.data_root}',
)
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
{loader(new, 'val', '')}
{loader(new, 'test', '')}
"""


def _light_classification(new: NewDataset) -> str:
    return f"""# The same at a size for a CPU.
_base_ = './{new.name}.py'

load, changes, pack = _base_.load, _base_.changes, _base_.pack
{_class_pipelines(new.small_scale[0])}
# One worker: two would take the cores away from the network.
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
"""


def _class_pipelines(side: int) -> str:
    """Write pipelines; a test's image is an eighth larger before it is cut."""
    edges = tuple(round(side * share) for share in (8 / 7, 9 / 7))
    return f"""train_pipeline = [
    load,
    dict(type='RandomResizedCrop', scale={side}, crop_ratio_range=(0.6, 1.0)),
    *changes,
    pack,
]
crop = dict(type='CenterCrop', crop_size={side})
tta_scales = [dict(type='ResizeEdge', scale=side, edge='short') for side in {edges}]
test_pipeline = [load, tta_scales[0], crop, pack]
tta_pipeline = [
    load,
    dict(type='TestTimeAug', transforms=[tta_scales, [crop], *_base_.views]),
]
"""
