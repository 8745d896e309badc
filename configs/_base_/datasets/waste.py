# Photographs of waste in twelve classes, black around them where they are not square.
_base_ = './class_list.py'

custom_imports = dict(
    imports=['custom_datasets.datasets.waste', 'custom_datasets.classification'],
    allow_failed_imports=False,
)
num_classes = 12
data_preprocessor = dict(num_classes=num_classes)

load = dict(type='LoadImageFromFile')
square = dict(type='Pad', pad_to_square=True)
pack = dict(type='PackInputs')
# Nothing turns colours: they tell brown glass from green (augment=colour is refused).
colour_is_class = True
flips = [
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
]
train_pipeline = [
    load,
    square,
    dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.4, 1.0)),
    *flips,
    pack,
]
test_pipeline = [load, square, dict(type='Resize', scale=(224, 224)), pack]
tta_scales = [dict(type='Resize', scale=(side, side)) for side in (224, 256)]
tta_pipeline = [
    load,
    square,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

advice = '{{ fileDirname }}/../../waste/advice.yaml'
dataset = dict(type='WasteDataset', data_root='{{ fileDirname }}/../../../data/waste')
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
