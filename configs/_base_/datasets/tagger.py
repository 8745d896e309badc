# Everyday photographs: the short side becomes 600 pixels, the long one 1000 at most.
_base_ = './voc_detection.py'

custom_imports = dict(
    imports=['custom_datasets.datasets.tagger', 'custom_datasets.detection'],
    allow_failed_imports=False,
)
# One tag a line. Heads and data sets follow the file, so another list is one setting.
classes = '{{ fileDirname }}/../../tagger/classes.txt'
num_classes = 22

resize = dict(type='Resize', scale=(1000, 600), keep_ratio=True)
flip = dict(type='RandomFlip', prob=0.5)
train_pipeline = [_base_.load, _base_.annotate, resize, flip, _base_.pack]
test_pipeline = [_base_.load, resize, _base_.annotate, _base_.pack_test]
tta_scales = [resize, dict(type='Resize', scale=(1100, 660), keep_ratio=True)]
tta_pipeline = [
    _base_.load,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

dataset = dict(type='TaggerDataset', data_root='{{ fileDirname }}/../../../data/tagger')
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
