"""The files of a new classification set, in the style of those written by hand."""

from custom_datasets.scaffold.files import (
    NewDataset,
    custom_imports,
    leaf,
    loader,
    module_file,
    test_file,
)


def classification_files(new: NewDataset) -> dict[str, str]:
    """Return the files of a classification set by path under the repository."""
    leaves = f'configs/{new.name}'
    module = module_file(new, 'mmpretrain', 'class_list', 'ClassList')
    return {
        f'custom_datasets/{new.name}.py': module,
        f'configs/_base_/datasets/{new.name}.py': _classification_base(new),
        f'configs/_base_/datasets/{new.name}_light.py': _light_classification(new),
        f'{leaves}/resnet18_1xb32-30e_{new.slug}.py': _resnet(new, 18),
        f'{leaves}/resnet50_1xb32-30e_{new.slug}.py': _resnet(new, 50),
        f'{leaves}/resnet18_light_1xb32-30e_{new.slug}.py': _light_resnet(new),
        f'tests/test_{new.name}.py': test_file(new),
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

{custom_imports(new, 'class_metric')}data_preprocessor = dict(num_classes=num_classes)

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
