# Faster R-CNN as its authors had it with VGG16 (Ren et al., 2015): one level of 512
# channels at stride 16, two stages of the backbone frozen, two layers of 4096.
# Newly drawn is all but the backbone: N(0, 0.01), the regression of boxes, which
# follows the two layers, N(0, 0.001); that of the proposals is 0.01, as there.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50-caffe-c4.py'

narrow = dict(type='Normal', std=0.001, override=dict(name='fc_reg'))
model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(
        _delete_=True,
        type='VGGBackbone',
        depth=16,
        frozen_stages=2,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'),
    ),
    rpn_head=dict(
        in_channels=512,
        feat_channels=512,
        anchor_generator=dict(scales=[8, 16, 32], ratios=[0.5, 1.0, 2.0], strides=[16]),
        loss_bbox=dict(_delete_=True, type='SmoothL1Loss', beta=1 / 9),
        init_cfg=dict(type='Normal', layer='Conv2d', std=0.01),
    ),
    roi_head=dict(
        shared_head=None,
        bbox_roi_extractor=dict(roi_layer=dict(output_size=7), out_channels=512),
        bbox_head=dict(
            _delete_=True,
            type='Shared2FCBBoxHead',
            in_channels=512,
            fc_out_channels=4096,
            roi_feat_size=7,
            num_classes=20,
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]
            ),
            loss_cls=dict(type='CrossEntropyLoss'),
            loss_bbox=dict(type='SmoothL1Loss', beta=1.0),
            init_cfg=[dict(type='Normal', layer='Linear', std=0.01), narrow],
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=6000, max_per_img=2000),
        rcnn=dict(sampler=dict(num=128, pos_fraction=0.25)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=6000, max_per_img=300)),
)
