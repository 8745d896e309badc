# What a detector's config takes from this plugin, whatever upstream's part is.
# Carries out the settings (docs/settings.md); checks the class counts.
runner_type = 'PluginRunner'
randomness = dict(seed=0)

# --tta: boxes of all views are merged at the largest threshold that a model here has
# for its own, so that views which see the same give what one gives.
tta_model = dict(
    type='DetTTAModel',
    tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.6), max_per_img=100),
)
