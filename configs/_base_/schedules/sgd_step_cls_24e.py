# Steps in place of the cosine: a tenth of the rate from every 7th epoch on.
# Other steps are one override: param_scheduler.1.step_size=9.
_base_ = './sgd_cls_30e.py'

max_epochs = 24
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.warm_up,
    dict(type='StepLR', step_size=7, gamma=0.1, by_epoch=True),
]
