# A generator's runs: some pictures of each class after a validation, and the checkpoint
# that is best by the first of its figures: KID, or the loss where KID has no weights.
_base_ = './cls_runtime.py'

default_hooks = dict(
    checkpoint=dict(save_best='auto', rule='less'),
)
