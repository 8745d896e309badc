_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/schedules/sgd_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/recycling.py',
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=_base_.num_classes)))
