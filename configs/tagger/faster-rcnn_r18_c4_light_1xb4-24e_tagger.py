_base_ = [
    '../_base_/models/faster-rcnn_r18_c4_light.py',
    '../_base_/schedules/adamw_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/tagger_light.py',
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=_base_.num_classes)))
