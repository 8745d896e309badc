# What the data sets made of lists of images share: loaders, and the evaluation.
data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)

# --tta: what follows its scales. Each is seen as it is, then flipped.
views = [
    [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)],
    [dict(type='PackInputs')],
]

train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='train.txt'),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='val.txt', test_mode=True),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='test.txt', test_mode=True),
)

val_evaluator = [
    dict(type='Accuracy', topk=1),
    dict(type='ClasswiseMetric'),
]
test_evaluator = val_evaluator
