_base_ = [
    '../_base_/models/retinanet_r18_fpn_light.py',
    '../_base_/schedules/adamw_12e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/sample.py',
]
# Cells are round. Anchors from 8 pixels on, since a drawn platelet has 8.
model = dict(
    bbox_head=dict(
        num_classes=_base_.num_classes,
        anchor_generator=dict(octave_base_scale=1, ratios=[1.0]),
    )
)
train_dataloader = dict(batch_size=8)
