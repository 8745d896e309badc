_base_ = 'mmpretrain::_base_/default_runtime.py'

# Carries out the settings (docs/settings.md); checks the class counts.
runner_type = 'PluginRunner'

default_hooks = dict(
    logger=dict(type='OneWriterLoggerHook', interval=10),
    checkpoint=dict(max_keep_ckpts=2, save_best='accuracy/top1', rule='greater'),
)
randomness = dict(seed=0)
