# The drawn sample of tools/draw_sample.py, in the format of BCCD, reduced from 320x240.
_base_ = './voc_detection.py'

custom_imports = dict(
    imports=[
        'custom_datasets.bccd',
        'custom_datasets.evaluation.voc_metric',
        'custom_datasets.runner',
    ],
    allow_failed_imports=False,
)
num_classes = 3

load = dict(type='LoadImageFromFile')
annotate = dict(type='LoadAnnotations', with_bbox=True)
resize = dict(type='Resize', scale=(128, 96), keep_ratio=True)
meta_keys = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'instances',
)
train_pipeline = [
    load,
    annotate,
    resize,
    dict(
        type='RandomFlip',
        prob=[0.25, 0.25, 0.25],
        direction=['horizontal', 'vertical', 'diagonal'],
    ),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    load,
    resize,
    annotate,
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
pack = dict(type='PackDetInputs', meta_keys=(*meta_keys, 'flip', 'flip_direction'))
flips = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
tta_pipeline = [
    load,
    resize,
    dict(type='TestTimeAug', transforms=[flips, [annotate], [pack]]),
]

dataset = dict(type='BCCDDataset', data_root='{{ fileDirname }}/../../../data/sample')
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
