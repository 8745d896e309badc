_base_ = [
    '../_base_/models/faster-rcnn_vgg16_c5.py',
    '../_base_/schedules/sgd_vgg_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/tagger.py',
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=_base_.num_classes)))
train_dataloader = dict(batch_size=1)
