# Faces at 64 pixels, for a CPU.
_base_ = './age_gender.py'

train_pipeline = [
    _base_.load,
    dict(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.7, 1.0)),
    *_base_.changes,
    _base_.pack,
]
test_pipeline = [_base_.load, dict(type='Resize', scale=(64, 64)), _base_.pack]
tta_pipeline = [
    _base_.load,
    dict(type='Resize', scale=(64, 64)),
    dict(type='TestTimeAug', transforms=_base_.views),
]

# One worker: two would take the cores away from the network.
train_dataloader = dict(
    batch_size=64, num_workers=1, dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
