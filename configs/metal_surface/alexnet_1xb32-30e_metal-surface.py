_base_ = [
    '../_base_/models/alexnet.py',
    '../_base_/schedules/sgd_cls_30e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/metal_surface.py',
]
model = dict(
    backbone=dict(
        type='PretrainedAlexNet',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://alexnet'),
    ),
    head=dict(num_classes=_base_.num_classes),
)
# Without batch norm a tenth of the others' rate.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
