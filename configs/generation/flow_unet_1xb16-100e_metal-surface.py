_base_ = [
    '../_base_/models/flow_unet.py',
    '../_base_/schedules/adamw_gen_100e.py',
    '../_base_/gen_runtime.py',
    '../_base_/datasets/metal_surface_light.py',
]
custom_imports = dict(imports=[*_base_.custom_imports.imports, _base_.generation])
model = dict(num_classes=_base_.num_classes)
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=_base_.train_pictures))
val_dataloader = dict(dataset=dict(pipeline=_base_.pictures))
test_dataloader = dict(dataset=dict(pipeline=_base_.pictures))
val_evaluator = _base_.evaluators
test_evaluator = _base_.evaluators
