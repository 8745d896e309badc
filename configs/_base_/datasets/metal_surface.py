# Square crops of surface defects, as tools/dataset_converters/metal_surface.py cuts them.
_base_ = './class_list.py'

custom_imports = dict(
    imports=[
        'custom_datasets.datasets.metal_surface',
        'custom_datasets.classification',
    ],
    allow_failed_imports=False,
)
num_classes = 10
data_preprocessor = dict(num_classes=num_classes)

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
# --tta: flips as in training, and no other scale, which networks that have seen one
# only are misled by.
tta_flips = [
    [dict(type='RandomFlip', prob=prob, direction=direction) for prob in (0.0, 1.0)]
    for direction in ('horizontal', 'vertical')
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='TestTimeAug', transforms=[*tta_flips, [dict(type='PackInputs')]]),
]

dataset = dict(
    type='MetalSurfaceDataset',
    data_root='{{ fileDirname }}/../../../data/metal_surface',
)
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
