# Warm-up is an epoch, whatever its length; then the rate falls along a cosine, whose
# begin, end and T_max, in epochs, are the schedule's.
warm_up = dict(
    type='LinearLR',
    start_factor=0.01,
    begin=0,
    end=1,
    by_epoch=True,
    convert_to_iter_based=True,
)
cosine = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
