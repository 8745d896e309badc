# RetinaNet that starts from scratch and trains on a CPU: ResNet-18, a neck and
# head of 96 channels with batch norm on three levels, and a loss on overlap.
_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(depth=18, frozen_stages=-1, norm_eval=False, init_cfg=None),
    neck=dict(
        in_channels=[64, 128, 256, 512],
        out_channels=96,
        num_outs=3,
        norm_cfg=norm_cfg,
    ),
    bbox_head=dict(
        in_channels=96,
        feat_channels=96,
        stacked_convs=2,
        norm_cfg=norm_cfg,
        anchor_generator=dict(strides=[8, 16, 32]),
        reg_decoded_bbox=True,
        loss_bbox=dict(_delete_=True, type='GIoULoss', loss_weight=2.0),
    ),
    test_cfg=dict(score_thr=0.001, nms=dict(iou_threshold=0.6)),
)
