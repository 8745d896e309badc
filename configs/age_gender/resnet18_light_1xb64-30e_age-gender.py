_base_ = [
    '../_base_/models/resnet18_light.py',
    '../_base_/schedules/sgd_cls_30e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/age_gender_light.py',
]
model = dict(head=dict(num_classes=_base_.num_classes))
optim_wrapper = dict(optimizer=dict(lr=0.1))
auto_scale_lr = dict(base_batch_size=64)
