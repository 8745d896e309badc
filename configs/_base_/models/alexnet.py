# AlexNet's convolutions, the mean of their map, and one layer: any image of 63 pixels
# and more will do. Its two layers of 4096 take 224 pixels only and have 54 of its 57
# million weights, too many for a thousand crops.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='AlexNet'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        in_channels=256,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
    init_cfg=[dict(type='Kaiming', layer='Conv2d')],
)
