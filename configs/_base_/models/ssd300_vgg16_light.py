# SSD300 that starts from scratch and trains on a CPU: VGG-16 of a quarter of the
# width, batch norm throughout, and no layers in place of VGG's fully connected ones.
_base_ = './ssd300_vgg16.py'

norm_cfg = dict(type='BN', requires_grad=True)
channels = (128, 128, 128, 128, 128, 128)
model = dict(
    data_preprocessor=dict(std=[58.395, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='VGGBackbone',
        depth=16,
        base_channels=16,
        with_bn=True,
        out_indices=(3, 4),
    ),
    neck=dict(
        in_channels=channels[:2],
        out_channels=channels,
        l2_norm_scale=None,
        norm_cfg=norm_cfg,
    ),
    bbox_head=dict(in_channels=channels),
)
