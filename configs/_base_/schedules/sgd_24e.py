# For a detector that starts from ImageNet weights, on 200 to 4000 images.
_base_ = 'mmdet::_base_/schedules/schedule_1x.py'

max_epochs = 24
train_cfg = dict(max_epochs=max_epochs)

# Warm-up is one epoch, whatever its length; then the rate falls along a cosine.
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        begin=0,
        end=1,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        begin=1,
        end=max_epochs,
        T_max=max_epochs - 1,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))

# lr=0.02 is for 16 images; it is scaled to the real batch.
auto_scale_lr = dict(enable=True, base_batch_size=16)
