_base_ = [
    'mmpretrain::_base_/models/resnet18.py',
    '../_base_/schedules/sgd_cls_30e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/age_gender.py',
]
model = dict(
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')
    ),
    head=dict(num_classes=_base_.num_classes, topk=(1,)),
)
