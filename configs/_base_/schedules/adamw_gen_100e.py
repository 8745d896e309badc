# For a generator from scratch: AdamW, a flat rate that falls along a cosine in the last
# third, and the moving average of the weights, which is what makes pictures.
_base_ = './cosine.py'

max_epochs = 100
flat = max_epochs * 2 // 3
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=10)
val_cfg = dict()
test_cfg = dict()

param_scheduler = [
    {**_base_.warm_up, 'end': 2},
    dict(**_base_.cosine, begin=flat, end=max_epochs, T_max=max_epochs - flat),
]
precision = 'auto'
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.01, betas=(0.9, 0.99)),
    clip_grad=dict(max_norm=1.0),
)
custom_hooks = [
    dict(
        type='EMAHook',
        ema_type='MomentumAnnealingEMA',
        momentum=0.002,
        gamma=100,
        update_buffers=True,
        priority=49,
    ),
    dict(type='SampleGridHook'),
]

# lr is for 16 images; it is scaled to the real batch.
auto_scale_lr = dict(enable=True, base_batch_size=16)
