# For a light detector from scratch: AdamW, a flat rate that falls along a cosine
# in the second half, and the moving average of the weights, which is what is tested.
_base_ = './cosine.py'

max_epochs = 24
base_lr = 1e-3
# bfloat16 on a CPU that is made for it; float32 elsewhere.
precision = 'auto'
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=8)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    {**_base_.warm_up, 'end': 2},
    dict(
        **_base_.cosine,
        eta_min=base_lr / 50,
        begin=max_epochs // 2,
        end=max_epochs,
        T_max=max_epochs - max_epochs // 2,
    ),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=base_lr, weight_decay=0.05),
    clip_grad=dict(max_norm=35, norm_type=2),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0, bypass_duplicate=True),
)
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.002,
        gamma=100,
        update_buffers=True,
        priority=49,
    ),
]

# base_lr is for 4 images; it is scaled to the real batch.
auto_scale_lr = dict(enable=True, base_batch_size=4)
