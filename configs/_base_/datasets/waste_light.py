# Waste at 64 pixels, for a CPU.
_base_ = './waste.py'

train_pipeline = [
    _base_.load,
    _base_.square,
    dict(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.4, 1.0)),
    *_base_.flips,
    _base_.pack,
]
test_pipeline = [
    _base_.load,
    _base_.square,
    dict(type='Resize', scale=(64, 64)),
    _base_.pack,
]
tta_scales = [dict(type='Resize', scale=(side, side)) for side in (64, 72)]
tta_pipeline = [
    _base_.load,
    _base_.square,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

# One worker: two would take the cores away from the network.
train_dataloader = dict(
    batch_size=64, num_workers=1, dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
