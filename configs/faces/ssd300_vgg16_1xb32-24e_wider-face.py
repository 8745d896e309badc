_base_ = [
    '../_base_/models/ssd300_vgg16.py',
    '../_base_/schedules/sgd_ssd_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/wider_face.py',
]
model = dict(bbox_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(batch_size=32)
# As many boxes as SSD keeps of one view.
tta_model = dict(tta_cfg=dict(max_per_img=200))
