_base_ = [
    'mmpretrain::_base_/models/swin_transformer/tiny_224.py',
    '../_base_/schedules/adamw_cls_30e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/metal_surface_light.py',
]
model = dict(
    backbone=dict(window_size=4, pad_small_map=True),
    head=dict(num_classes=_base_.num_classes, topk=(1,)),
    train_cfg=None,
)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
auto_scale_lr = dict(base_batch_size=64)
