# For a light detector from scratch on data that is quickly learnt.
_base_ = './cosine.py'

max_epochs = 12
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    _base_.warm_up,
    dict(**_base_.cosine, begin=1, end=max_epochs, T_max=max_epochs - 1),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=10, norm_type=2),
)

# lr is for 8 images; it is scaled to the real batch.
auto_scale_lr = dict(enable=True, base_batch_size=8)
