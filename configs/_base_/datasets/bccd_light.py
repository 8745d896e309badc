# BCCD at half its size, for a CPU. Crops and colours vary, since 205 images are few.
_base_ = './bccd.py'

image_scale = (320, 240)
train_pipeline = [
    *(_base_.load, _base_.annotate, *_base_.vary),
    *(_base_.flip, _base_.pad, _base_.pack),
]

# One worker: two would take the cores away from the network.
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1)
test_dataloader = dict(num_workers=1)
