"""The runner: loaders that vary, and the CPU's part in distributed runs."""

from types import SimpleNamespace

import numpy as np
import torch
from mmengine.registry import RUNNERS
from torch.utils.data import Dataset

from custom_datasets.training.hooks import EpochSeedHook
from custom_datasets.training.runner import PluginRunner

SAMPLER = {'type': 'DefaultSampler', 'shuffle': False}


class Draws(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return np.random.rand()


def test_it_is_registered_for_the_stock_scripts():
    assert RUNNERS.get('PluginRunner') is PluginRunner


def epochs(**settings):
    """Return what a loader draws in two epochs, and in the second by itself."""
    loader = PluginRunner.build_dataloader(
        {'dataset': Draws(), 'batch_size': 1, 'sampler': SAMPLER, **settings}, seed=0
    )

    def epoch(number):
        place = SimpleNamespace(seed=0, epoch=number, rank=0)
        EpochSeedHook().before_train_epoch(place)
        return tuple(float(batch[0]) for batch in loader)

    return epoch(0), epoch(1), epoch(1)


def test_workers_draw_anew_in_each_epoch_and_the_same_when_resumed():
    first, second, resumed = epochs(num_workers=2)
    assert len({*first, *second}) == 8
    assert resumed == second


def test_draws_depend_on_the_number_of_workers_and_on_keeping_them():
    """So a campaign counts both among the settings of a training."""
    none, one, two = (epochs(num_workers=count)[:2] for count in range(3))
    kept = epochs(num_workers=1, persistent_workers=True)[:2]
    assert len({none, one, two, kept}) == 4
    assert epochs(num_workers=1, prefetch_factor=1)[:2] == one


def test_memory_is_pinned_only_for_a_gpu():
    cfg = {
        'dataset': Draws(),
        'batch_size': 1,
        'num_workers': 0,
        'sampler': SAMPLER,
        'pin_memory': True,
    }
    loader = PluginRunner.build_dataloader(cfg)
    assert loader.pin_memory == torch.cuda.is_available()
    assert cfg['pin_memory'] is True
