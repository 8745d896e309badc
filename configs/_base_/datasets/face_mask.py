# Face mask photographs, about 400x300, enlarged: half of the faces have under 26 pixels.
_base_ = './voc_detection.py'

custom_imports = dict(
    imports=['custom_datasets.datasets.face_mask', 'custom_datasets.detection'],
    allow_failed_imports=False,
)
num_classes = 3

resize = dict(type='Resize', scale=(800, 600), keep_ratio=True)
flip = dict(type='RandomFlip', prob=0.5)
train_pipeline = [_base_.load, _base_.annotate, resize, flip, _base_.pack]
test_pipeline = [_base_.load, resize, _base_.annotate, _base_.pack_test]
tta_scales = [resize, dict(type='Resize', scale=(880, 660), keep_ratio=True)]
tta_pipeline = [
    _base_.load,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

dataset = dict(
    type='FaceMaskDataset', data_root='{{ fileDirname }}/../../../data/face_mask'
)
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
