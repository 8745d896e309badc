_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/schedules/sgd_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/face_mask.py',
]
# Anchors from 16 pixels on: 99 % of the faces then overlap one by half.
model = dict(
    bbox_head=dict(
        num_classes=_base_.num_classes,
        anchor_generator=dict(octave_base_scale=2),
    )
)
optim_wrapper = dict(optimizer=dict(lr=0.01))
