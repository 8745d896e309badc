_base_ = ['mmdet::_base_/default_runtime.py', './det_plugin.py']

default_hooks = dict(
    logger=dict(type='OneWriterLoggerHook', interval=10),
    checkpoint=dict(max_keep_ckpts=2, save_best='pascal_voc/mAP', rule='greater'),
)
