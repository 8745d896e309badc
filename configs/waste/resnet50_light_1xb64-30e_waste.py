_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/schedules/sgd_cls_30e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/waste_light.py',
]
model = dict(head=dict(num_classes=_base_.num_classes, topk=(1,)))
optim_wrapper = dict(optimizer=dict(lr=0.05))
auto_scale_lr = dict(base_batch_size=64)
