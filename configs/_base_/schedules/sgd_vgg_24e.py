# For VGG without batch norm: a small rate that falls along a cosine to 1e-5.
_base_ = './sgd_24e.py'

param_scheduler = [
    _base_.warm_up,
    dict(**_base_.param_scheduler[1], eta_min=1e-5),
]
optim_wrapper = dict(optimizer=dict(lr=0.001, momentum=0.9, weight_decay=0.0005))

# lr is for one image; it is scaled to the real batch.
auto_scale_lr = dict(base_batch_size=1)
