_base_ = [
    'mmpretrain::_base_/models/densenet/densenet201.py',
    '../_base_/schedules/sgd_cls_30e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/metal_surface_light.py',
]
model = dict(head=dict(num_classes=_base_.num_classes, topk=(1,)))
optim_wrapper = dict(optimizer=dict(lr=0.05, weight_decay=1e-4))
auto_scale_lr = dict(base_batch_size=64)
