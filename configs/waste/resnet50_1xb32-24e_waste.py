_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/schedules/sgd_step_cls_24e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/waste.py',
]
model = dict(
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')
    ),
    head=dict(num_classes=_base_.num_classes, topk=(1,)),
)
