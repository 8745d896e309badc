"""The hooks that every run has."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from custom_datasets.errors import ConfigError
from custom_datasets.training.hooks import (
    ClassCountHook,
    EpochSeedHook,
    OneWriterLoggerHook,
    head_class_counts,
)


class Part(nn.Module):
    def __init__(self, num_classes=None, **children):
        super().__init__()
        if num_classes is not None:
            self.num_classes = num_classes
        for name, child in children.items():
            self.add_module(name, child)


def runner_of(model, classes):
    dataset = SimpleNamespace(metainfo={'classes': classes} if classes else {})
    loader = SimpleNamespace(dataset=dataset)
    names = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    return SimpleNamespace(model=model, **dict.fromkeys(names, loader))


def test_only_heads_that_tell_classes_apart_are_counted():
    model = Part(
        backbone=Part(1000, head=Part(1000)),
        rpn_head=Part(1),
        roi_head=Part(bbox_head=Part(3)),
        bbox_head=Part(-1),
    )
    assert head_class_counts(model) == {'roi_head.bbox_head': 3}


@pytest.mark.parametrize(
    'when', ['before_train', 'before_val_epoch', 'before_test_epoch']
)
def test_a_wrong_count_stops_the_run(when):
    check = getattr(ClassCountHook(), when)
    model = Part(bbox_head=Part(80))
    with pytest.raises(ConfigError, match=r'bbox_head has num_classes=80.*has 2: a, b'):
        check(runner_of(model, ('a', 'b')))
    check(runner_of(Part(bbox_head=Part(2)), ('a', 'b')))
    check(runner_of(model, None))


def draw():
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_numbers_depend_on_seed_epoch_and_rank_only():
    def draws(**where):
        random.random(), np.random.rand(), torch.rand(1)
        EpochSeedHook().before_train_epoch(SimpleNamespace(**where))
        return draw()

    first = draws(seed=0, epoch=1, rank=0)
    assert draws(seed=0, epoch=1, rank=0) == first
    others = [(1, 1, 0), (0, 2, 0), (0, 1, 1)]
    for seed, epoch, rank in others:
        other = draws(seed=seed, epoch=epoch, rank=rank)
        assert all(a != b for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize('rank', [0, 1])
def test_only_the_first_process_writes_metrics(rank, tmp_path):
    processor = SimpleNamespace(
        get_log_after_epoch=lambda *args, **kwargs: ({'AP50': 0.5}, 'AP50: 0.5')
    )
    runner = SimpleNamespace(
        rank=rank,
        log_processor=processor,
        test_dataloader=[],
        logger=SimpleNamespace(info=lambda text: None),
        log_dir=str(tmp_path),
    )
    hook = OneWriterLoggerHook()
    hook.json_log_path = 'metrics.json'
    hook.after_test_epoch(runner)
    assert (tmp_path / 'metrics.json').exists() == (rank == 0)
