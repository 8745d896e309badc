_base_ = [
    '../_base_/models/retinanet_r18_fpn_light.py',
    '../_base_/schedules/adamw_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/recycling_light.py',
]
# Waste can fill the photograph. Five levels: anchors of 16 to 406 pixels.
model = dict(
    neck=dict(num_outs=5),
    bbox_head=dict(
        num_classes=_base_.num_classes,
        anchor_generator=dict(octave_base_scale=2, strides=[8, 16, 32, 64, 128]),
    ),
)
