_base_ = [
    'mmpretrain::_base_/models/efficientnet_b0.py',
    '../_base_/schedules/adamw_cls_30e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/metal_surface.py',
]
checkpoint = (
    'https://mmassets.onedl.ai/mmclassification/v0/efficientnet/'
    'efficientnet-b0_3rdparty_8xb32_in1k_20220119-a7e2a0b1.pth'
)
model = dict(
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint, prefix='backbone')
    ),
    head=dict(num_classes=_base_.num_classes, topk=(1,)),
)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
