# Upstream has ATSS only as a whole config; dataset_base replaces its data sets.
_base_ = ['mmdet::atss/atss_r50_fpn_1x_coco.py', '../_base_/det_plugin.py']

custom_imports = dict(imports=['custom_datasets.detection'])
dataset_base = '{{ fileDirname }}/../_base_/datasets/bccd.py'
train_dataloader = dict(batch_size=4)

# Warm-up is one epoch, whatever its length; then the rate falls along a cosine.
train_cfg = dict(max_epochs=24)
ramp = dict(type='LinearLR', start_factor=0.01, begin=0, end=1)
fall = dict(type='CosineAnnealingLR', begin=1, end=24, T_max=23)
param_scheduler = [
    dict(**step, by_epoch=True, convert_to_iter_based=True) for step in (ramp, fall)
]
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
auto_scale_lr = dict(enable=True)

default_hooks = dict(
    logger=dict(type='OneWriterLoggerHook', interval=10),
    checkpoint=dict(max_keep_ckpts=2, save_best='pascal_voc/mAP', rule='greater'),
)
