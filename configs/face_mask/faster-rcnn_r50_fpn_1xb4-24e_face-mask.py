_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/schedules/sgd_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/face_mask.py',
]
# Anchors from 16 pixels on, since a face can have 12.
model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[4])),
    roi_head=dict(bbox_head=dict(num_classes=_base_.num_classes)),
)
