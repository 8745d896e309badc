_base_ = 'mmdet::_base_/default_runtime.py'

# Carries out data_root, classes and from_scratch; checks the class counts.
runner_type = 'PluginRunner'

default_hooks = dict(
    logger=dict(type='OneWriterLoggerHook', interval=10),
    checkpoint=dict(max_keep_ckpts=2, save_best='pascal_voc/mAP', rule='greater'),
)
randomness = dict(seed=0)

# --tta: boxes of all views are merged at the largest threshold that a model here has
# for its own, so that views which see the same give what one gives.
tta_model = dict(
    type='DetTTAModel',
    tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.6), max_per_img=100),
)
