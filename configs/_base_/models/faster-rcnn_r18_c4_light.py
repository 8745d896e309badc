# Faster R-CNN that starts from scratch and trains on a CPU: ResNet-18 of 3/4 of the
# width up to C4, one level of 192 channels at stride 8, and narrow heads.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50-caffe-c4.py'

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(
        depth=18,
        stem_channels=48,
        base_channels=48,
        strides=(1, 2, 1),
        dilations=(1, 1, 2),
        frozen_stages=-1,
        norm_cfg=dict(requires_grad=True),
        norm_eval=False,
        style='pytorch',
        init_cfg=None,
    ),
    rpn_head=dict(
        in_channels=192,
        feat_channels=128,
        anchor_generator=dict(scales=[2, 4, 8, 16], strides=[8]),
    ),
    roi_head=dict(
        shared_head=None,
        bbox_roi_extractor=dict(
            roi_layer=dict(output_size=7), out_channels=192, featmap_strides=[8]
        ),
        bbox_head=dict(
            _delete_=True,
            type='Shared2FCBBoxHead',
            in_channels=192,
            fc_out_channels=256,
            roi_feat_size=7,
            num_classes=20,
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]
            ),
            loss_cls=dict(type='CrossEntropyLoss'),
            loss_bbox=dict(type='L1Loss'),
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=1000, max_per_img=300),
        rcnn=dict(sampler=dict(num=128)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=300), rcnn=dict(score_thr=0.001)),
)
