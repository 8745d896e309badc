"""Metrics that JSON can hold, and the best epoch."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import CheckpointHook

from custom_datasets.training.facts import main_metric
from custom_datasets.training.record import best_of, plain


def test_numbers_of_all_kinds_become_plain():
    value = {
        'a': np.float32(0.5),
        'b': torch.tensor([1, 2]),
        'c': float('nan'),
        3: (True, None, 'x', np.array([1.0, np.inf])),
        'd': torch.float32,
    }
    assert plain(value) == {
        'a': 0.5,
        'b': [1, 2],
        'c': None,
        '3': [True, None, 'x', [1.0, None]],
        'd': 'torch.float32',
    }
    json.dumps(plain(value), allow_nan=False)


def hooks(**settings):
    return SimpleNamespace(hooks=[CheckpointHook(**settings)])


@pytest.mark.parametrize(
    ('runner', 'metrics', 'chosen'),
    [
        (hooks(save_best='voc/mAP', rule='greater'), {'x': 1}, ('voc/mAP', 'greater')),
        (hooks(save_best=['error', 'b'], rule='less'), {}, ('error', 'less')),
        (hooks(), {'table': [1], 'acc': 0.5, 'b': 1}, ('acc', 'greater')),
        (hooks(), {'val_Loss': 0.5}, ('val_Loss', 'less')),
        (SimpleNamespace(hooks=[]), {}, None),
    ],
)
def test_the_main_metric(runner, metrics, chosen):
    assert main_metric(runner, metrics) == chosen


def test_the_first_of_the_best_epochs_is_taken():
    values = [None, {'a': 0.5}, {'a': 0.75}, {'a': None}, {'a': 0.75}, {'b': 9}]
    entries = [
        {'epoch': i, 'iteration': 2 * i, 'metrics': each}
        for i, each in enumerate(values)
    ]
    assert best_of(entries, 'a', 'greater', 'best.pth') == {
        'metric': 'a',
        'rule': 'greater',
        'value': 0.75,
        'epoch': 2,
        'iteration': 4,
        'checkpoint': 'best.pth',
    }
    least = best_of(entries, 'a', 'less')
    assert (least['epoch'], least['value'], least['checkpoint']) == (1, 0.5, None)
    assert best_of(entries, 'c', 'less') is None
