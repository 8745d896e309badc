# Everyday photographs at a size for a CPU.
_base_ = './tagger.py'

# mmdet wants (width, height); both are multiples of the stride, 16.
scale = (320, 240)
padded = (320, 256)
train_pipeline = [
    _base_.load,
    _base_.annotate,
    dict(type='RandomResize', scale=scale, ratio_range=(0.9, 1.2), keep_ratio=True),
    dict(type='RandomCrop', crop_size=padded),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=padded, pad_val=dict(img=(114, 114, 114))),
    _base_.pack,
]
resize = dict(type='Resize', scale=scale, keep_ratio=True)
# The batch is padded later, so that boxes end at the image's edge.
test_pipeline = [_base_.load, resize, _base_.annotate, _base_.pack_test]
tta_scales = [resize, dict(type='Resize', scale=(352, 264), keep_ratio=True)]
tta_pipeline = [
    _base_.load,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

# One worker: two would take the cores away from the network.
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
