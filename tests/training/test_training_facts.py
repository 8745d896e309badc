"""What is trained, and how, in words."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import nn

from custom_datasets.training.facts import (
    augmentations,
    batch_size,
    losses,
    training_facts,
    written,
)


class FocalLoss(nn.Module):
    pass


class SmoothLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = FocalLoss()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.norm = nn.BatchNorm1d(2).requires_grad_(False)
        self.heads = nn.ModuleList([nn.Sequential(), nn.Sequential()])
        self.heads[1].loss_cls = FocalLoss()
        self.loss_box = SmoothLoss()


CFG = Config(
    {
        'model': {
            'heads': [{}, {'loss_cls': {'type': 'FocalLoss', 'gamma': 2.0}}],
            'train_cfg': {'augments': [{'type': 'Mixup', 'alpha': 0.8}]},
        },
        'train_dataloader': {
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            'dataset': {
                'type': 'RepeatDataset',
                'times': 3,
                'dataset': {
                    'pipeline': [
                        {'type': 'Resize', 'scale': (64, 48)},
                        {'type': 'RandomFlip', 'prob': [0.5, 0.25]},
                    ]
                },
                'pipeline': [{'type': 'PackInputs'}],
            },
        },
        'optim_wrapper': {
            'type': 'OptimWrapper',
            'optimizer': {'type': 'SGD'},
            'accumulative_counts': 2,
            'clip_grad': {'max_norm': 10},
        },
        'param_scheduler': [{'type': 'MultiStepLR', 'milestones': [8, 11]}],
    }
)


def runner():
    model = Net()
    groups = [
        {'params': [model.layer.weight], 'lr': 0.02, 'initial_lr': 0.1},
        {'params': [model.layer.bias], 'lr': 0.2, 'weight_decay': 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0, weight_decay=0.0005)
    return SimpleNamespace(
        cfg=CFG,
        model=model,
        seed=3,
        world_size=4,
        train_dataloader=SimpleNamespace(batch_size=2),
        train_loop=SimpleNamespace(),
        optim_wrapper=OptimWrapper(optimizer),
        max_epochs=12,
        max_iters=1200,
    )


def test_a_wrapper_without_a_type_is_the_plain_one():
    given = runner()
    given.cfg = CFG.copy()
    given.cfg.optim_wrapper = {'optimizer': {'type': 'SGD'}}
    assert training_facts(given)['optimizer']['wrapper'] == 'OptimWrapper'


def test_facts():
    facts = training_facts(runner())
    assert facts['seed'] == 3
    assert facts['batch'] == {
        'images': 2,
        'ranks': 4,
        'accumulated': 2,
        'total': 16,
        'sampler': 'DefaultSampler(shuffle=True)',
    }
    # The weight has eight numbers and the bias two.
    assert facts['optimizer'] == {
        'type': 'SGD',
        'lr': 0.1,
        'weight_decay': 0.0005,
        'wrapper': 'OptimWrapper(accumulative_counts=2, clip_grad=dict(max_norm=10))',
    }
    assert facts['schedule'] == {
        'epochs': 12,
        'iterations': 1200,
        'schedulers': ['MultiStepLR(milestones=[8, 11])'],
    }
    # Four times two weights, two biases; two and two of the norm are frozen.
    assert facts['model'] == {'type': 'Net', 'parameters': 14, 'trainable': 10}


def test_losses_have_the_settings_of_the_config():
    assert losses(Net(), CFG.model) == {
        'heads.1.loss_cls': 'FocalLoss(gamma=2.0)',
        'loss_box': 'SmoothLoss',
    }


def test_augmentations_are_in_order():
    assert augmentations(CFG) == [
        'Resize(scale=(64, 48))',
        'RandomFlip(prob=[0.5, 0.25])',
        'PackInputs',
        'batch: [Mixup(alpha=0.8)]',
    ]
    assert augmentations({}) == []


def test_iterations_are_counted_in_other_loops():
    class IterBasedTrainLoop:
        pass

    counting = runner()
    counting.train_loop = IterBasedTrainLoop()
    assert training_facts(counting)['schedule']['epochs'] is None


def test_a_batch_sampler_may_know_the_size():
    grouped = SimpleNamespace(
        batch_size=None, batch_sampler=SimpleNamespace(batch_size=6)
    )
    assert batch_size(grouped) == 6
    assert batch_size(SimpleNamespace(batch_size=None, batch_sampler=None)) is None


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        ({'a': 1, 'b': {'c': 'd'}}, "dict(a=1, b=dict(c='d'))"),
        ({}, 'dict()'),
        ({'type': nn.ReLU}, 'ReLU'),
        ((1,), '(1,)'),
        ([None, (1, 2.5)], '[None, (1, 2.5)]'),
        (nn.ReLU, 'ReLU'),
    ],
)
def test_settings_are_written_as_in_a_config(value, text):
    assert written(value) == text
