# Square crops of surface defects, as tools/dataset_converters/metal_surface.py cuts them.
custom_imports = dict(
    imports=[
        'custom_datasets.metal_surface',
        'custom_datasets.evaluation.class_metric',
        'custom_datasets.runner',
    ],
    allow_failed_imports=False,
)
num_classes = 10

data_preprocessor = dict(
    num_classes=num_classes,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='ColorJitter', brightness=0.2, contrast=0.2),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='PackInputs'),
]

dataset = dict(
    type='MetalSurfaceDataset',
    data_root='{{ fileDirname }}/../../../data/metal_surface',
)
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**dataset, ann_file='train.txt', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, ann_file='val.txt', test_mode=True, pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset, ann_file='test.txt', test_mode=True, pipeline=test_pipeline
    ),
)

val_evaluator = [
    dict(type='Accuracy', topk=1),
    dict(type='ClasswiseMetric'),
]
test_evaluator = val_evaluator
