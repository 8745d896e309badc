"""Names and values of settings against the classes that are built from them."""

import copy
import inspect

import mmengine.optim
import mmengine.runner
import pytest
import torch
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from custom_datasets.checks import parameters
from custom_datasets.checks.check import check_config
from custom_datasets.checks.parameters import check_parameters, check_values
from custom_datasets.errors import ConfigError
from custom_datasets.settings import load_config
from tests.leaves import LEAVES, SAMPLE

FILLED_IN = {'self', 'args', 'kwargs', 'params', 'runner', 'dataloader', 'evaluator'}
FILLED_IN |= {'optimizer', 'param_name'}
"""Names that mmengine fills in itself."""

NOT_EVERYWHERE = {
    *('pin_memory_device', 'in_order', 'fused', 'capturable', 'differentiable'),
    *('decoupled_weight_decay', 'fast_forward_on_resume', 'use_fsdp', 'maximize'),
    *('foreach', 'eta_min_ratio'),
}
"""Names that not every version, or not every optimizer, has."""

BY_MMENGINE = {
    *('num_batch_per_epoch', 'disable_subprocess_warning'),
    *('constructor', 'paramwise_cfg', 'optimizer', 'convert_to_iter_based'),
}
"""Names that mmengine takes out before it builds anything."""

SCHEDULER = {'type': 'MultiStepLR', 'milestones': [8, 11]}
NATURAL = 'a whole number of at least 1'
FROM_0 = 'a whole number of at least 0'
NUMBER = 'a number of at least 0'


@pytest.mark.parametrize(
    ('cls', 'names'),
    [
        (DataLoader, parameters.LOADER),
        *[(getattr(torch.optim, n), t) for n, t in parameters.OPTIMIZERS.items()],
        *[(getattr(mmengine.optim, n), t) for n, t in parameters.WRAPPERS.items()],
        *[(getattr(mmengine.runner, n), t) for n, t in parameters.TRAIN_LOOPS.items()],
        *[
            (getattr(mmengine.runner, n), t)
            for n, t in parameters.EVALUATION_LOOPS.items()
        ],
        *[(getattr(mmengine.optim, n), t) for n, t in parameters.SCHEDULERS.items()],
    ],
    ids=lambda value: getattr(value, '__name__', ''),
)
def test_names_are_those_of_the_signature(cls, names):
    bases = [cls] if issubclass(cls, torch.optim.Optimizer) else cls.__mro__[:-1]
    real = {
        name
        for base in bases
        if '__init__' in vars(base)
        for name in inspect.signature(base.__init__).parameters
    } - FILLED_IN
    assert real <= names
    assert names - real <= NOT_EVERYWHERE | BY_MMENGINE


def test_mmengine_takes_two_names_of_a_loader_out():
    names = ('num_batch_per_epoch', 'disable_subprocess_warning')
    code = inspect.getsource(Runner.build_dataloader)
    assert all(f"'{name}'" in code for name in names)


def finding_of(options):
    """Return the only finding on the names of the sample, so changed."""
    [finding] = check_parameters(load_config(str(SAMPLE), options))
    assert finding.severity == 'error'
    return finding


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'train_dataloader.batchsize': 8},
            "train_dataloader: DataLoader takes no 'batchsize'; did you mean "
            "'batch_size'?",
        ),
        ({'optim_wrapper.optimizer.learning_rate': 0.1}, "did you mean 'lr'?"),
        ({'optim_wrapper.optimizer.weightdecay': 0.1}, "mean 'weight_decay'?"),
        ({'optim_wrapper.lr': 0.1}, "OptimWrapper takes no 'lr'; known: accum"),
        ({'train_cfg.max_epoch': 1}, "TrainLoop takes no 'max_epoch'; did you mean"),
        ({'train_cfg.max_iters': 9}, "'max_iters', which is for IterBasedTrainLoop"),
        ({'val_cfg.fp': True}, "val_cfg: ValLoop takes no 'fp'; did you mean 'fp16'?"),
        ({'param_scheduler.0.warmup': 3}, "LinearLR takes no 'warmup'; known: "),
    ],
)
def test_a_name_that_is_not_taken(options, message):
    assert message in finding_of(options).message


def test_the_part_of_a_loader_is_named():
    assert finding_of({'test_dataloader.batchsize': 8}).split == 'test'


def test_what_another_optimizer_left_behind():
    with_sgd = next(leaf for leaf in LEAVES if leaf.stem.startswith('faster-rcnn_r50'))
    cfg = load_config(str(with_sgd), {'optim_wrapper.optimizer.type': 'Adam'})
    [finding] = check_parameters(cfg)
    assert finding.message.endswith(
        "Adam takes no 'momentum', which is for SGD, RMSprop"
    )
    assert '_delete_=True' in finding.hint
    model = torch.nn.Linear(1, 1)
    with pytest.raises(TypeError, match="keyword argument 'momentum'"):
        mmengine.optim.build_optim_wrapper(model, cfg.optim_wrapper)


@pytest.mark.parametrize(
    'options',
    [
        {'optim_wrapper.optimizer': {'type': 'Lion', 'lr': 1e-4, 'beta': 3}},
        {'train_cfg': {'type': 'MyLoop', 'epochs': 3}},
        {'param_scheduler': [{'type': 'QuadraticWarmupLR', 'x': 1}]},
        # Another constructor may take names out.
        {'optim_wrapper.optimizer.x': 1, 'optim_wrapper.constructor': 'Mine'},
    ],
)
def test_a_type_that_is_not_known_is_left_alone(options):
    assert not check_parameters(load_config(str(SAMPLE), options))


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_loop_without_type_is_known_by_its_unit(by_epoch):
    name, other = ('max_epochs', 'max_iters')[:: 1 if by_epoch else -1]
    loop = {'by_epoch': by_epoch, name: 9}
    assert not check_parameters({'train_cfg': loop})
    [finding] = check_parameters({'train_cfg': {**loop, other: 9}})
    assert f'takes no {other!r}' in finding.message


@pytest.mark.parametrize('missing', ['dataset', 'sampler'])
def test_a_loader_without_a_part(missing):
    cfg = load_config(str(SAMPLE))
    del cfg.train_dataloader[missing]
    [finding] = check_parameters(cfg)
    assert finding.message == f'train_dataloader has no {missing}'


def messages(options):
    findings = check_values(load_config(str(SAMPLE), options))
    assert {(f.code, f.severity) for f in findings} <= {('wrong-value', 'error')}
    return [finding.message for finding in findings]


@pytest.mark.parametrize(
    ('name', 'value', 'needed'),
    [
        ('train_dataloader.batch_size', 0, NATURAL),
        ('train_dataloader.batch_size', '8', NATURAL),
        ('train_dataloader.batch_size', 2.0, NATURAL),
        ('train_dataloader.batch_size', True, NATURAL),
        ('train_cfg.max_epochs', 2.5, NATURAL),
        ('train_cfg.max_epochs', 'two', NATURAL),
        ('train_cfg.val_interval', 0, NATURAL),
        ('train_cfg.val_interval', None, NATURAL),
        ('auto_scale_lr.base_batch_size', '16', NATURAL),
        ('val_dataloader.num_workers', -1, FROM_0),
        ('default_hooks.logger.interval', '10', FROM_0),
        ('optim_wrapper.optimizer.lr', 'abc', NUMBER),
        ('optim_wrapper.optimizer.lr', -0.1, NUMBER),
        ('optim_wrapper.optimizer.lr', float('nan'), NUMBER),
        ('param_scheduler.0.end', 'x', NUMBER),
        ('param_scheduler.0.begin', None, NUMBER),
    ],
)
def test_a_value_of_the_wrong_type_ends_no_check(name, value, needed, tmp_path):
    text = f'{name}={value!r}: must be {needed}'
    assert messages({name: value}) == [text]
    options = {'data_root': str(tmp_path), name: value}
    findings = check_config(str(SAMPLE), options, images=False, cached=False).findings
    assert text in {finding.message for finding in findings}


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('train_cfg.max_epochs', 12.0),
        ('train_dataloader.batch_size', None),
        ('optim_wrapper.optimizer.lr', 0),
        ('param_scheduler', [SCHEDULER]),
        ('param_scheduler', None),
    ],
)
def test_what_mmengine_takes(name, value):
    assert not messages({name: value})


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'milestones': 8}, '.milestones=8: must be a list of numbers'),
        ({'milestones': ['8']}, ".milestones=['8']: must be a list of numbers"),
        ({'milestones': 'abc'}, ".milestones='abc': must be a list of numbers"),
        ({'begin': 12, 'end': 2}, ': end=2 is not after begin=12'),
    ],
)
def test_values_of_a_scheduler(changes, message):
    options = {'param_scheduler': [{**SCHEDULER, **changes}]}
    assert messages(options) == [f'param_scheduler.0{message}']


@pytest.mark.parametrize(
    ('value', 'hint'), [('8', 'write it without quotes'), ('many', 'correct the value')]
)
def test_only_a_number_is_told_to_lose_its_quotes(value, hint):
    cfg = load_config(str(SAMPLE), {'train_dataloader.batch_size': value})
    assert [finding.hint for finding in check_values(cfg)] == [hint]


@pytest.mark.parametrize(
    ('name', 'value'), [('persistent_workers', True), ('prefetch_factor', 2)]
)
def test_what_only_workers_can_do(name, value):
    loader = {'num_workers': 0, name: value}
    [finding] = check_values({'train_dataloader': loader})
    assert f'{name}={value} needs num_workers of at least 1' in finding.message
    built = {'dataset': [1, 2], 'sampler': [0, 1], **copy.deepcopy(loader)}
    with pytest.raises(ValueError, match=name):
        Runner.build_dataloader(built)
    assert not check_values({'train_dataloader': {**loader, 'num_workers': 1}})


def test_repetitions_are_counted_in_whole_numbers():
    dataset = {'type': 'RepeatDataset', 'times': '3', 'dataset': {}}
    loader = {'num_workers': 0, 'dataset': dataset}
    [finding] = check_values({'train_dataloader': loader})
    assert f"times='3': must be {NATURAL}" in finding.message


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        *(
            (name, f'^{name}=8: must be a dict')
            for name in (
                *('train_dataloader', 'train_dataloader.dataset', 'model'),
                *('optim_wrapper', 'default_hooks.logger', 'default_hooks.checkpoint'),
            )
        ),
        ('param_scheduler', 'param_scheduler=8: must be a list of dicts'),
    ],
)
def test_a_number_where_a_dict_belongs_is_one_sentence(name, message):
    with pytest.raises(ConfigError, match=message):
        load_config(str(SAMPLE), {name: 8})
