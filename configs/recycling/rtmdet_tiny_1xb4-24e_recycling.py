_base_ = [
    '../_base_/models/rtmdet_tiny.py',
    '../_base_/schedules/adamw_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/recycling_light.py',
]
model = dict(bbox_head=dict(num_classes=_base_.num_classes))
