_base_ = [
    'mmpretrain::_base_/models/swin_transformer/tiny_224.py',
    '../_base_/schedules/adamw_cls_30e.py',
    '../_base_/cls_runtime.py',
    '../_base_/datasets/metal_surface.py',
]
checkpoint = (
    'https://mmassets.onedl.ai/mmclassification/v0/swin-transformer/convert/'
    'swin_tiny_patch4_window7_224-160bb0a5.pth'
)
model = dict(
    backbone=dict(
        # Below 224 pixels the last map is smaller than a window of seven.
        pad_small_map=True,
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint, prefix='backbone'),
    ),
    head=dict(num_classes=_base_.num_classes, topk=(1,)),
    # No mixing: half of another crop's defect is no half defect.
    train_cfg=None,
)
