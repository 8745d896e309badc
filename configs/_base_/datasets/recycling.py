# Photographs of waste, 1024x1024, in COCO JSONs. Those of train and val come from
# tools/dataset_converters/split.py; test.json is the competition's, not annotated.
_base_ = './detection.py'

custom_imports = dict(
    imports=['custom_datasets.datasets.recycling', 'custom_datasets.detection'],
    allow_failed_imports=False,
)
num_classes = 10

resize = dict(type='Resize', scale=(1024, 1024), keep_ratio=True)
# Waste lies on the ground in any direction.
flip = dict(
    type='RandomFlip',
    prob=[0.25, 0.25, 0.25],
    direction=['horizontal', 'vertical', 'diagonal'],
)
train_pipeline = [_base_.load, _base_.annotate, resize, flip, _base_.pack]
test_pipeline = [_base_.load, resize, _base_.annotate, _base_.pack_test]
tta_scales = [resize, dict(type='Resize', scale=(1152, 1152), keep_ratio=True)]
tta_pipeline = [
    _base_.load,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

advice = '{{ fileDirname }}/../../recycling/advice.yaml'
dataset = dict(
    type='RecyclingDataset', data_root='{{ fileDirname }}/../../../data/recycling'
)
train_dataloader = dict(
    dataset=dict(**dataset, ann_file='annotations/train.json', pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(**dataset, ann_file='annotations/val.json', pipeline=test_pipeline)
)
test_dataloader = dict(
    dataset=dict(**dataset, ann_file='test.json', pipeline=test_pipeline)
)

# COCO's AP of nothing would be -1; this one says that nothing is annotated.
test_evaluator = [dict(type='ClasswiseVOCMetric')]
