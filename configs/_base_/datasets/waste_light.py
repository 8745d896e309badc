# Waste at 64 pixels, for a CPU.
_base_ = './waste.py'

image_scale = 64
tta_scales = [dict(type='Resize', scale=(side, side)) for side in (64, 72)]
tta_pipeline = [
    *(_base_.load, _base_.square),
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

# One worker: two would take the cores away from the network.
train_dataloader = dict(batch_size=64, num_workers=1)
val_dataloader = dict(num_workers=1)
test_dataloader = dict(num_workers=1)
