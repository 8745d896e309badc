# For a classifier without batch norm, or one that plain SGD drives too slowly.
_base_ = './sgd_cls_30e.py'

# Warm-up is three epochs: attention is easily thrown off at the start.
param_scheduler = [
    {**_base_.warm_up, 'end': 3},
    dict(**_base_.cosine, begin=3, end=_base_.max_epochs, T_max=_base_.max_epochs - 3),
]
# Norms, biases and Swin's tables of positions do not decay.
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.05),
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={'.relative_position_bias_table': dict(decay_mult=0.0)},
    ),
)
