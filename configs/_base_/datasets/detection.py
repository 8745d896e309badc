# What detection data sets share: the steps that stand in each pipeline, loaders, and
# two evaluations in one run.
load = dict(type='LoadImageFromFile')
annotate = dict(type='LoadAnnotations', with_bbox=True)
pack = dict(type='PackDetInputs')

# CocoMetric takes the truth from `instances`, where there is no annotation file.
meta_keys = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'instances',
)
pack_test = dict(type='PackDetInputs', meta_keys=meta_keys)

# In the training of a light base, for a CPU: what comes before its flip, and behind.
# They get the base's image_scale; crop and padding that of the next multiple of 32.
vary = [
    dict(
        type='RandomResize', scale=(320, 320), ratio_range=(0.9, 1.2), keep_ratio=True
    ),
    dict(type='RandomCrop', crop_size=(320, 320)),
    dict(type='YOLOXHSVRandomAug'),
]
pad = dict(type='Pad', size=(320, 320), pad_val=dict(img=(114, 114, 114)))

# --tta: what follows its scales. Each is seen as it is, then flipped. The truth is
# read behind the flip, so that it stays where the merged boxes are moved back to.
# Nothing pads before the flip: mmdet flips boxes back in an image without padding.
views = [
    [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)],
    [annotate],
    [dict(type='PackDetInputs', meta_keys=(*meta_keys, 'flip', 'flip_direction'))],
]

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(test_mode=True),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(test_mode=True),
)

# Area-AP50 for each class, and COCO's AP, AP50, AP75, small, medium, large.
val_evaluator = [
    dict(type='ClasswiseVOCMetric'),
    dict(type='CocoMetric', metric='bbox', classwise=True),
]
test_evaluator = val_evaluator
