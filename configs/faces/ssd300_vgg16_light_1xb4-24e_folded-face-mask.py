_base_ = [
    '../_base_/models/ssd300_vgg16_light.py',
    '../_base_/schedules/adamw_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/folded_face_mask.py',
]
model = dict(bbox_head=dict(num_classes=_base_.num_classes))
# Faces are small already: a border around the image makes them smaller yet.
train_pipeline = [step for step in _base_.train_pipeline if step['type'] != 'Expand']
# One worker: two would take the cores away from the network.
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
# As many boxes as SSD keeps of one view.
tta_model = dict(tta_cfg=dict(max_per_img=200))
