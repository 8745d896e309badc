"""The hooks that every run has: seeds, class counts, losses that are no number."""

import math
import os
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed
import torch.multiprocessing
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import nn

from custom_datasets.errors import ConfigError
from custom_datasets.training.hooks import (
    ClassCountHook,
    EpochSeedHook,
    FiniteLossHook,
    NonFiniteError,
    OneWriterLoggerHook,
    first_broken,
    head_class_counts,
)
from custom_datasets.training.precision import BFloat16OptimWrapper


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


def test_numbers_depend_on_seed_epoch_and_rank_only():
    def draws(seed, epoch, rank):
        random.random(), np.random.rand(), torch.rand(1)
        place = SimpleNamespace(seed=seed, epoch=epoch, rank=rank)
        EpochSeedHook().before_train_epoch(place)
        return random.random(), np.random.rand(), torch.rand(1).item()

    first = draws(0, 1, 0)
    assert draws(0, 1, 0) == first
    for place in ((1, 1, 0), (0, 2, 0), (0, 1, 1)):
        assert all(x != y for x, y in zip(first, draws(*place), strict=True))


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


class Net(BaseModel):
    """Predicts a number; its loss is the batch's number times its weight."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.register_buffer('mean', torch.zeros(1))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        value = torch.stack(list(inputs)).mean()
        return {'loss_a': self.weight * value, 'loss_b': torch.zeros(1), 'acc': value}


def sample(path, boxes=((1.0, 1.0, 5.0, 5.0),)):
    instances = SimpleNamespace(bboxes=torch.tensor(boxes))
    return SimpleNamespace(img_path=path, gt_instances=instances)


def batch(value, *samples):
    return {'inputs': [torch.tensor([value])], 'data_samples': list(samples)}


def training(model, rank=0, **hook):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    return SimpleNamespace(
        model=model,
        rank=rank,
        epoch=2,
        iter=7,
        optim_wrapper=OptimWrapper(optimizer),
        message_hub=SimpleNamespace(runtime_info={}),
        resumed_from=None,
        hooks=[CheckpointHook(**hook)],
    )


def train_step(hook, runner, data):
    hook.before_train_iter(runner, 0, data)
    return runner.model.train_step(data, runner.optim_wrapper)


@pytest.mark.parametrize('value', [math.inf, math.nan])
def test_the_step_is_not_taken(value, tmp_path):
    runner, hook = training(Net()), FiniteLossHook()
    kept = tmp_path / 'epoch_2.pth'
    kept.write_text('')
    runner.message_hub.runtime_info['last_ckpt'] = str(kept)
    hook.before_train(runner)
    logged = train_step(hook, runner, batch(1.0))
    assert float(logged['loss']) == 1.0
    assert runner.model.weight.item() == 0.5

    poisoned = batch(value, sample('a.png'), sample('b.png', ((3.0, 1.0, 3.0, 5.0),)))
    with pytest.raises(NonFiniteError) as caught:
        train_step(hook, runner, poisoned)
    assert runner.model.weight.item() == 0.5
    lines = str(caught.value).splitlines()
    assert lines[0] == 'epoch 3, iteration 8: the loss is not finite'
    assert lines[1] == f'  losses: loss {value}, loss_a {value}, loss_b 0, acc {value}'
    assert lines[2:4] == [
        '  image: a.png',
        '  image: b.png (it has a box without area)',
    ]
    assert lines[4].startswith('  learning rate: 0.5; try a lower one')
    assert 'clip_grad' in lines[4] and 'tools/check.py' in lines[4]
    assert lines[5] == f'  checkpoint: {kept} is kept'


def test_bfloat16_is_among_the_suspects():
    runner, hook = training(Net()), FiniteLossHook()
    hook.before_train(runner)
    for kind in (OptimWrapper, BFloat16OptimWrapper):
        runner.optim_wrapper = kind(optimizer=runner.optim_wrapper.optimizer)
        with pytest.raises(NonFiniteError) as caught:
            train_step(hook, runner, batch(math.nan))
        suspected = 'precision=float32 (and no --amp)' in str(caught.value)
        assert suspected == (kind is BFloat16OptimWrapper)


def test_a_term_that_does_not_count_may_be_anything():
    runner, hook = training(Net()), FiniteLossHook()
    hook.before_train(runner)
    parsed = runner.model.parse_losses(
        {'loss': torch.ones(1), 'acc': torch.tensor(math.nan)}
    )
    assert float(parsed[0]) == 1


def test_the_model_is_as_before_afterwards():
    runner, hook = training(Net()), FiniteLossHook()
    hook.before_train(runner)
    hook.after_train(runner)
    total, _ = runner.model.parse_losses({'loss': torch.tensor(math.inf)})
    assert math.isinf(total)


def test_broken_weights_are_told_from_a_broken_batch():
    runner, hook = training(Net()), FiniteLossHook()
    hook.before_train(runner)
    runner.model.weight.data.fill_(math.nan)
    with pytest.raises(NonFiniteError, match='weight has not been since an earlier'):
        train_step(hook, runner, batch(1.0))


@pytest.mark.parametrize('name', ['weight', 'mean'])
def test_broken_weights_are_not_saved(name):
    runner, hook = training(Net(), by_epoch=True), FiniteLossHook()
    hook.after_train_epoch(runner)
    getattr(runner.model, name).data.fill_(math.inf)
    with pytest.raises(NonFiniteError, match=rf'no longer finite \({name}\), so no'):
        hook.after_train_epoch(runner)


def test_weights_are_looked_at_before_iterations_are_saved():
    runner, hook = training(Net(), by_epoch=False, interval=4), FiniteLossHook()
    runner.model.weight.data.fill_(math.inf)
    runner.iter = 6
    hook.after_train_iter(runner, 6)
    runner.iter = 7  # The eighth.
    with pytest.raises(NonFiniteError, match='none was saved yet'):
        hook.after_train_iter(runner, 7)


def test_whole_numbers_cannot_break():
    assert first_broken({'count': torch.tensor(3)}) is None


def work(rank, store, folder):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{store}', rank=rank, world_size=2
    )
    runner, hook = training(Net(), rank=rank), FiniteLossHook()
    hook.before_train(runner)
    train_step(hook, runner, batch(1.0))
    value = math.nan if rank == 1 else 1.0
    said = 'nothing'
    try:
        train_step(hook, runner, batch(value, sample(f'{rank}.png')))
    except NonFiniteError as error:
        said = str(error)
    (folder / f'{rank}.txt').write_text(f'{said}\n{runner.model.weight.item()}')
    torch.distributed.barrier()
    # Over gloo, leaving the group now and then hangs (torch 2.1) or aborts.
    os._exit(0)


def test_one_process_stops_all(tmp_path):
    torch.multiprocessing.spawn(work, (tmp_path / 'store', tmp_path), nprocs=2)
    first, second = ((tmp_path / f'{rank}.txt').read_text() for rank in (0, 1))
    assert 'image: 1.png' in first and '0.png' not in first
    assert 'loss_a nan' in first
    assert second.startswith('a loss is not finite; the first process says more')
    # One good step each, from 1 to 0.5, and no other.
    assert first.endswith('\n0.5') and second.endswith('\n0.5')
