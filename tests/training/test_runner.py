"""The runner: loaders that vary, and the CPU's part in distributed runs."""

from types import SimpleNamespace

import numpy as np
import torch
from mmengine.registry import RUNNERS
from torch.utils.data import Dataset

from custom_datasets.training.hooks import EpochSeedHook
from custom_datasets.training.runner import PluginRunner


class Draws(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return np.random.rand()


def test_it_is_registered_for_the_stock_scripts():
    assert RUNNERS.get('PluginRunner') is PluginRunner


def test_workers_draw_anew_in_each_epoch_and_the_same_when_resumed():
    sampler = {'type': 'DefaultSampler', 'shuffle': False}
    loader = PluginRunner.build_dataloader(
        {'dataset': Draws(), 'batch_size': 1, 'num_workers': 2, 'sampler': sampler},
        seed=0,
    )

    def epoch(number):
        EpochSeedHook().before_train_epoch(
            SimpleNamespace(seed=0, epoch=number, rank=0)
        )
        return [float(batch[0]) for batch in loader]

    first, second = epoch(0), epoch(1)
    assert len(set(first + second)) == 8
    assert epoch(1) == second
    assert epoch(0) == first


def test_memory_is_pinned_only_for_a_gpu():
    cfg = {
        'dataset': Draws(),
        'batch_size': 1,
        'num_workers': 0,
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'pin_memory': True,
    }
    loader = PluginRunner.build_dataloader(cfg)
    assert loader.pin_memory == torch.cuda.is_available()
    assert cfg['pin_memory'] is True
