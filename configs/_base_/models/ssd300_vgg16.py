# SSD300 (Liu et al., 2016) with VGG-16, its fully connected layers as convolutions.
_base_ = 'mmdet::_base_/models/ssd300.py'

model = dict(bbox_head=dict(type='PredictingSSDHead'))
