_base_ = [
    'mmdet::_base_/models/cascade-rcnn_r50_fpn.py',
    '../_base_/schedules/sgd_24e.py',
    '../_base_/det_runtime.py',
    '../_base_/datasets/bccd.py',
]
# A list replaces that of the base, so each of the three heads is written again.
model = dict(
    roi_head=dict(
        bbox_head=[
            {**head, 'num_classes': _base_.num_classes}
            for head in _base_.model.roi_head.bbox_head
        ]
    )
)
