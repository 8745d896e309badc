"""Names of settings against what the classes that are built take."""

import inspect

import mmengine.optim
import mmengine.runner
import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader

from custom_datasets.checks import parameters
from custom_datasets.checks.parameters import check_parameters
from custom_datasets.settings import load_config
from tests.leaves import LEAVES, SAMPLE

GIVEN = {'self', 'args', 'kwargs', 'params', 'runner', 'dataloader', 'evaluator'}
"""Names that mmengine fills in itself."""

LATER = {
    *('pin_memory_device', 'in_order', 'fused', 'capturable', 'differentiable'),
    *('decoupled_weight_decay', 'fast_forward_on_resume', 'use_fsdp', 'maximize'),
    *('foreach', 'eta_min_ratio'),
}
"""Names that not every version, or not every optimizer, has."""


def taken(cls, until=object):
    """Return what a class and its bases up to ``until`` take."""
    classes = cls.__mro__[: cls.__mro__.index(until)]
    return {
        name
        for one in classes
        if '__init__' in vars(one)
        for name in inspect.signature(one.__init__).parameters
    } - GIVEN


def agree(table, real, others=()):
    assert real <= table
    assert table - real - set(others) <= LATER


def test_names_of_a_loader():
    of_mmengine = {'num_batch_per_epoch', 'disable_subprocess_warning'}
    agree(parameters.LOADER, taken(DataLoader), of_mmengine)
    source = inspect.getsource(mmengine.runner.Runner.build_dataloader)
    assert all(f"'{name}'" in source for name in of_mmengine)


@pytest.mark.parametrize('name', parameters.OPTIMIZERS)
def test_names_of_an_optimizer(name):
    real = inspect.signature(getattr(torch.optim, name).__init__).parameters
    agree(parameters.OPTIMIZERS[name], set(real) - GIVEN)


@pytest.mark.parametrize('name', parameters.WRAPPERS)
def test_names_of_an_optimizer_wrapper(name):
    of_mmengine = {'constructor', 'paramwise_cfg'}
    real = taken(getattr(mmengine.optim, name))
    agree(parameters.WRAPPERS[name], real, of_mmengine)


@pytest.mark.parametrize(
    ('name', 'names'),
    [*parameters.TRAIN_LOOPS.items(), *parameters.EVALUATION_LOOPS.items()],
)
def test_names_of_a_loop(name, names):
    agree(names, taken(getattr(mmengine.runner, name)))


@pytest.mark.parametrize('name', parameters.SCHEDULERS)
def test_names_of_a_scheduler(name):
    real = taken(getattr(mmengine.optim, name)) - {'optimizer', 'param_name'}
    agree(parameters.SCHEDULERS[name], real, {'convert_to_iter_based'})


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)
def test_shipped_leaves_have_no_unknown_name(leaf):
    assert not check_parameters(load_config(str(leaf)))


def found(options):
    """Return message and hint of the only finding of the sample, so changed."""
    (one,) = check_parameters(load_config(str(SAMPLE), options))
    assert one.severity == 'error'
    return one


@pytest.mark.parametrize(
    ('options', 'said'),
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
def test_a_name_that_is_not_taken(options, said):
    assert said in found(options).message


def test_the_part_of_a_loader_is_said():
    assert found({'test_dataloader.batchsize': 8}).split == 'test'


def test_what_another_optimizer_left_behind():
    with_sgd = next(leaf for leaf in LEAVES if leaf.stem.startswith('faster-rcnn_r50'))
    cfg = load_config(str(with_sgd), {'optim_wrapper.optimizer.type': 'Adam'})
    (one,) = check_parameters(cfg)
    assert one.message.endswith("Adam takes no 'momentum', which is for SGD, RMSprop")
    assert '_delete_=True' in one.hint
    model = torch.nn.Linear(1, 1)
    with pytest.raises(TypeError, match="keyword argument 'momentum'"):
        mmengine.optim.build_optim_wrapper(model, cfg.optim_wrapper)


def test_a_type_that_is_not_known_is_left_alone():
    options = {
        'optim_wrapper.optimizer': {'type': 'Lion', 'lr': 1e-4, 'beta': 3},
        'train_cfg': {'type': 'MyLoop', 'epochs': 3},
        'param_scheduler': [{'type': 'QuadraticWarmupLR', 'x': 1}],
    }
    assert not check_parameters(load_config(str(SAMPLE), options))


def test_a_constructor_of_its_own_may_take_names_out():
    options = {'optim_wrapper.optimizer.x': 1, 'optim_wrapper.constructor': 'Mine'}
    assert not check_parameters(load_config(str(SAMPLE), options))


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_loop_without_type_is_known_by_its_unit(by_epoch):
    name, other = ('max_epochs', 'max_iters')[:: 1 if by_epoch else -1]
    loop = {'by_epoch': by_epoch, name: 9}
    assert not check_parameters({'train_cfg': loop})
    (one,) = check_parameters({'train_cfg': {**loop, other: 9}})
    assert f'takes no {other!r}' in one.message


@pytest.mark.parametrize('lacking', ['dataset', 'sampler'])
def test_a_loader_that_lacks_a_part(lacking):
    cfg = Config.fromfile(SAMPLE, import_custom_modules=False)
    del cfg.train_dataloader[lacking]
    (one,) = check_parameters(cfg)
    assert one.message == f'train_dataloader has no {lacking}'
