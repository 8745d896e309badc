# For a classifier on a few hundred to a few thousand images.
_base_ = './cosine.py'

max_epochs = 30
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()

param_scheduler = [
    _base_.warm_up,
    dict(**_base_.cosine, begin=1, end=max_epochs, T_max=max_epochs - 1),
]
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
)

# lr is for 32 images; it is scaled to the real batch.
auto_scale_lr = dict(enable=True, base_batch_size=32)
