"""Names that settings may have: the parameters of what is built from them.

Asking the classes would import torch, which takes longer than the whole check of
a config. Tests compare these tables with the classes. A name that only newer
versions know stands here too.
"""

from collections.abc import Mapping

Kinds = Mapping[str, frozenset[str]]
"""Names by ``type``; a type that is not there is not judged."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


LOADER = _names(
    """
    dataset batch_size shuffle sampler batch_sampler num_workers collate_fn pin_memory
    drop_last timeout worker_init_fn multiprocessing_context generator prefetch_factor
    persistent_workers pin_memory_device in_order
    num_batch_per_epoch disable_subprocess_warning
    """
)
"""Of ``DataLoader``; the last line is of mmengine's ``Runner.build_dataloader``."""

_OF_ALL = _names('lr foreach maximize capturable differentiable fused')

OPTIMIZERS: Kinds = {
    name: _OF_ALL | _names(own)
    for name, own in {
        'SGD': 'momentum dampening weight_decay nesterov',
        'Adam': 'betas eps weight_decay amsgrad decoupled_weight_decay',
        'AdamW': 'betas eps weight_decay amsgrad',
        'RMSprop': 'alpha eps weight_decay momentum centered',
        'Adagrad': 'lr_decay weight_decay initial_accumulator_value eps',
        'Adadelta': 'rho eps weight_decay',
        'Adamax': 'betas eps weight_decay',
        'NAdam': 'betas eps weight_decay momentum_decay decoupled_weight_decay',
        'RAdam': 'betas eps weight_decay decoupled_weight_decay',
        'Rprop': 'etas step_sizes',
        'ASGD': 'lambd alpha t0 weight_decay',
    }.items()
}
"""Of ``torch.optim``. Not each of them takes all of the first six names; whoever
sets one of those has read its page."""

_WRAPPER = _names('optimizer accumulative_counts clip_grad constructor paramwise_cfg')

WRAPPERS: Kinds = {
    'OptimWrapper': _WRAPPER,
    'AmpOptimWrapper': _WRAPPER | _names('loss_scale dtype use_fsdp'),
}
"""With the two names that mmengine's ``build_optim_wrapper`` takes out."""

_LOOP = _names('val_begin val_interval dynamic_intervals')

TRAIN_LOOPS: Kinds = {
    'EpochBasedTrainLoop': _LOOP | _names('max_epochs'),
    'IterBasedTrainLoop': _LOOP | _names('max_iters fast_forward_on_resume'),
}

EVALUATION_LOOPS: Kinds = {'ValLoop': _names('fp16'), 'TestLoop': _names('fp16')}

_SCHEDULER = _names('begin end last_step by_epoch verbose convert_to_iter_based')

SCHEDULERS: Kinds = {
    name: _SCHEDULER | _names(own)
    for name, own in {
        'LinearLR': 'start_factor end_factor',
        'ConstantLR': 'factor',
        'StepLR': 'step_size gamma',
        'MultiStepLR': 'milestones gamma',
        'ExponentialLR': 'gamma',
        'CosineAnnealingLR': 'T_max eta_min eta_min_ratio',
        'PolyLR': 'eta_min power',
    }.items()
}
"""The last common name is one that mmengine's runner takes out."""

ALSO_CALLED = {
    'learning_rate': 'lr',
    'epochs': 'max_epochs',
    'num_epochs': 'max_epochs',
    'iters': 'max_iters',
    'workers': 'num_workers',
}
"""What other libraries call them."""
