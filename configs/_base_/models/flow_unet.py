# A class-conditional generator that a CPU trains: a rectified flow whose U-Net sees
# patches of 4 by 4 pixels. Its pictures are squares of `size` pixels, to which
# pipelines fit the shorter side of an image, and cut off what is left of the other.
size = 64
model = dict(
    type='RectifiedFlow',
    size=size,
    network=dict(
        type='PatchUNet',
        patch=4,
        channels=(96, 160, 256),
        attention=(False, False, True),
    ),
    # From -1 to 1.
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True),
)

generation = 'custom_datasets.generation.task'
fit = [
    dict(type='LoadImageFromFile'),
    # Averages pixels; anything else makes small pictures of large ones rough.
    dict(type='ResizeEdge', scale=size, edge='short', interpolation='area'),
    dict(type='CenterCrop', crop_size=size),
]
pictures = [*fit, dict(type='PackInputs')]
# What training does to an image, made ones will show: mirrored ones look real.
train_pictures = [*fit, dict(type='RandomFlip', prob=0.5), dict(type='PackInputs')]
evaluators = [dict(type='GenerationMetric')]
