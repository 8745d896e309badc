# The drawn sample of tools/draw_sample.py, in the format of BCCD, reduced from 320x240.
_base_ = './voc_detection.py'

custom_imports = dict(
    imports=['custom_datasets.datasets.bccd', 'custom_datasets.detection'],
    allow_failed_imports=False,
)
num_classes = 3

resize = dict(type='Resize', scale=(128, 96), keep_ratio=True)
flip = dict(
    type='RandomFlip',
    prob=[0.25, 0.25, 0.25],
    direction=['horizontal', 'vertical', 'diagonal'],
)
train_pipeline = [_base_.load, _base_.annotate, resize, flip, _base_.pack]
test_pipeline = [_base_.load, resize, _base_.annotate, _base_.pack_test]
tta_scales = [resize, dict(type='Resize', scale=(144, 108), keep_ratio=True)]
tta_pipeline = [
    _base_.load,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

dataset = dict(type='BCCDDataset', data_root='{{ fileDirname }}/../../../data/sample')
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
