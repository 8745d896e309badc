# Crops of faces, as tools/dataset_converters/age_gender.py makes them: 224x224.
_base_ = './class_list.py'

custom_imports = dict(
    imports=['custom_datasets.datasets.age_gender', 'custom_datasets.classification'],
    allow_failed_imports=False,
)
num_classes = 10
data_preprocessor = dict(num_classes=num_classes)

load = dict(type='LoadImageFromFile')
pack = dict(type='PackInputs')
# Faces are upright, and no one's skin is green: no vertical flip, no hue.
changes = [
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.2),
]
train_pipeline = [
    load,
    dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.7, 1.0)),
    *changes,
    pack,
]
test_pipeline = [load, dict(type='Resize', scale=(224, 224)), pack]
# --tta: flipped as in training; all crops are of one scale.
tta_pipeline = [
    load,
    dict(type='Resize', scale=(224, 224)),
    dict(type='TestTimeAug', transforms=_base_.views),
]

dataset = dict(
    type='AgeGenderDataset',
    data_root='{{ fileDirname }}/../../../data/age_gender',
)
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))

# Decade and gender by themselves, and each source of sources.txt.
val_evaluator = [
    *_base_.val_evaluator,
    dict(type='AttributeMetric'),
    dict(type='SourceMetric'),
]
test_evaluator = val_evaluator
