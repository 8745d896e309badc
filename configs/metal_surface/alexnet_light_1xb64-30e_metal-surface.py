_base_ = [
    '../_base_/models/alexnet.py',
    '../_base_/schedules/sgd_cls_30e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/metal_surface_light.py',
]
model = dict(head=dict(num_classes=_base_.num_classes))
auto_scale_lr = dict(base_batch_size=64)
