# The same photographs at 320 pixels, for a CPU. Crops and colours vary.
_base_ = './recycling.py'

image_scale = (320, 320)
resize, *vary = _base_.vary
train_pipeline = [
    *(_base_.load, _base_.annotate, {**resize, 'ratio_range': (0.8, 1.2)}, *vary),
    *(_base_.flip, _base_.pad, _base_.pack),
]
tta_scales = [
    dict(type='Resize', scale=(side, side), keep_ratio=True) for side in (320, 352)
]
tta_pipeline = [
    _base_.load,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

# One worker: two would take the cores away from the network.
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1)
test_dataloader = dict(num_workers=1)
