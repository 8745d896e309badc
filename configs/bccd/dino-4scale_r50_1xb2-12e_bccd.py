# DINO with upstream's batch, epochs and optimizer; dataset_base replaces its data sets.
_base_ = ['mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py', '../_base_/det_plugin.py']

custom_imports = dict(imports=['custom_datasets.detection'])
dataset_base = '{{ fileDirname }}/../_base_/datasets/bccd.py'

# A transformer learns little from a few hundred images alone, so it starts from COCO.
load_from = (
    'https://download.openmmlab.com/mmdetection/v3.0/dino/dino-4scale_r50_8xb2-12e_coco/'
    'dino-4scale_r50_8xb2-12e_coco_20221202_182705-55b2bba2.pth'
)
ramp = dict(type='LinearLR', start_factor=0.01, begin=0, end=1, by_epoch=True)
param_scheduler = [dict(**ramp, convert_to_iter_based=True), *_base_.param_scheduler]
auto_scale_lr = dict(enable=True)

default_hooks = dict(
    logger=dict(type='OneWriterLoggerHook', interval=10),
    checkpoint=dict(max_keep_ckpts=2, save_best='pascal_voc/mAP', rule='greater'),
)
# DINO keeps 300 boxes of one view.
tta_model = dict(tta_cfg=dict(max_per_img=300))
