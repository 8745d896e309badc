_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/schedules/sgd_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/recycling.py',
]
model = dict(bbox_head=dict(num_classes=_base_.num_classes))
optim_wrapper = dict(optimizer=dict(lr=0.01))
