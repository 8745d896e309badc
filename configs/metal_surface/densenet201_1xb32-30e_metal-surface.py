_base_ = [
    'mmpretrain::_base_/models/densenet/densenet201.py',
    '../_base_/schedules/sgd_cls_30e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/metal_surface.py',
]
checkpoint = (
    'https://mmassets.onedl.ai/mmclassification/v0/densenet/'
    'densenet201_4xb256_in1k_20220426-05cae4ef.pth'
)
model = dict(
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint, prefix='backbone')
    ),
    head=dict(num_classes=_base_.num_classes, topk=(1,)),
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
