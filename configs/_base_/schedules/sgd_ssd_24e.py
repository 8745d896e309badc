# For SSD, which has no batch norm: the rate grows over two epochs, and a gradient
# longer than 10 is shortened. Both keep it finite where it starts from nothing.
_base_ = './sgd_24e.py'

param_scheduler = [
    {**_base_.warm_up, 'end': 2},
    {**_base_.param_scheduler[1], 'begin': 2, 'T_max': _base_.max_epochs - 2},
]
optim_wrapper = dict(
    optimizer=dict(lr=0.001, weight_decay=0.0005), clip_grad=dict(max_norm=10)
)

# lr is for 32 images; it is scaled to the real batch.
auto_scale_lr = dict(base_batch_size=32)
