# ResNet-18 of half the width, which starts from scratch and trains on a CPU.
_base_ = 'mmpretrain::_base_/models/resnet18.py'

model = dict(
    backbone=dict(stem_channels=32, base_channels=32),
    head=dict(in_channels=256, topk=(1,)),
)
