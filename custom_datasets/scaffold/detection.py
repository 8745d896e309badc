"""The files of a new detection set, in the style of those written by hand."""

from custom_datasets.scaffold.files import (
    NewDataset,
    custom_imports,
    leaf,
    loader,
    module_file,
    test_file,
)


def detection_files(new: NewDataset) -> dict[str, str]:
    """Return the files of a detection set by path under the repository."""
    leaves = f'configs/{new.name}'
    return {
        f'custom_datasets/{new.name}.py': module_file(new, 'mmdet', 'voc', 'VOCFolder'),
        f'configs/_base_/datasets/{new.name}.py': _detection_base(new),
        f'configs/_base_/datasets/{new.name}_light.py': _light_base(new),
        f'{leaves}/retinanet_r50_fpn_1xb4-24e_{new.slug}.py': _retinanet(new),
        f'{leaves}/faster-rcnn_r50_fpn_1xb4-24e_{new.slug}.py': _faster_rcnn(new),
        f'{leaves}/rtmdet_tiny_1xb4-24e_{new.slug}.py': _rtmdet(new),
        f'tests/test_{new.name}.py': test_file(new),
    }


def _detection_base(new: NewDataset) -> str:
    origin = '' if new.one_based else '\n    one_based=False,'
    return f"""# {new.about}
_base_ = './voc_detection.py'

{custom_imports(new, 'voc_metric')}
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
