# Faces for SSD: every image becomes 300x300 pixels, after a part of it was cut out or
# a border put around it, so that faces of all sizes are seen.
_base_ = './voc_detection.py'

custom_imports = dict(
    imports=['custom_datasets.datasets.faces', 'custom_datasets.detection'],
    allow_failed_imports=False,
)
num_classes = 1

resize = dict(type='Resize', scale=(300, 300), keep_ratio=False)
train_pipeline = [
    _base_.load,
    _base_.annotate,
    dict(type='PhotoMetricDistortion', hue_delta=18),
    # The images are still BGR here, as OpenCV reads them.
    dict(type='Expand', mean=[103.53, 116.28, 123.675], to_rgb=False, prob=0.5),
    dict(type='MinIoURandomCrop'),
    resize,
    # What is under three pixels by now can't be told from noise.
    dict(type='FilterAnnotations', min_gt_bbox_wh=(3, 3)),
    dict(type='RandomFlip', prob=0.5),
    _base_.pack,
]
test_pipeline = [_base_.load, resize, _base_.annotate, _base_.pack_test]
tta_scales = [resize, dict(type='Resize', scale=(330, 330), keep_ratio=False)]
tta_pipeline = [
    _base_.load,
    dict(type='TestTimeAug', transforms=[tta_scales, *_base_.views]),
]

train_dataloader = dict(
    dataset=dict(type='FaceDataset', pipeline=train_pipeline), batch_sampler=None
)
val_dataloader = dict(dataset=dict(type='FaceDataset', pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(type='FaceDataset', pipeline=test_pipeline))
