_base_ = [
    '../_base_/models/retinanet_r18_fpn_light.py',
    '../_base_/schedules/adamw_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/bccd_light.py',
]
# Cells are round. Anchors of 16 to 25 pixels for platelets (19), up to 102.
model = dict(
    bbox_head=dict(
        num_classes=_base_.num_classes,
        anchor_generator=dict(octave_base_scale=2, ratios=[1.0]),
    )
)
