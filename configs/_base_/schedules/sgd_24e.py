# For a detector that starts from ImageNet weights, on 200 to 4000 images.
_base_ = ['mmdet::_base_/schedules/schedule_1x.py', './cosine.py']

max_epochs = 24
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.warm_up,
    dict(**_base_.cosine, begin=1, end=max_epochs, T_max=max_epochs - 1),
]
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))

# lr=0.02 is for 16 images; it is scaled to the real batch.
auto_scale_lr = dict(enable=True, base_batch_size=16)
