_base_ = 'mmdet::_base_/default_runtime.py'

# Carries out data_root, classes and from_scratch; checks the class counts.
runner_type = 'PluginRunner'

default_hooks = dict(
    logger=dict(type='OneWriterLoggerHook', interval=10),
    checkpoint=dict(max_keep_ckpts=2, save_best='pascal_voc/mAP', rule='greater'),
)
randomness = dict(seed=0)

# --tta: the unflipped image comes first, since its truth is what is evaluated.
tta_model = dict(
    type='DetTTAModel',
    tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
)
