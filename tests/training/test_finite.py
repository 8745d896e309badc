"""A loss that is no number stops the run, on every process."""

import math
import os
from types import SimpleNamespace

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper

from custom_datasets.training.hooks import FiniteLossHook, NonFiniteError, first_broken


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


def runner_of(model, rank=0, **hook):
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
    runner, hook = runner_of(Net()), FiniteLossHook()
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


def test_a_term_that_does_not_count_may_be_anything():
    runner, hook = runner_of(Net()), FiniteLossHook()
    hook.before_train(runner)
    parsed = runner.model.parse_losses(
        {'loss': torch.ones(1), 'acc': torch.tensor(math.nan)}
    )
    assert float(parsed[0]) == 1


def test_the_model_is_as_before_afterwards():
    runner, hook = runner_of(Net()), FiniteLossHook()
    hook.before_train(runner)
    hook.after_train(runner)
    total, _ = runner.model.parse_losses({'loss': torch.tensor(math.inf)})
    assert math.isinf(total)


def test_broken_weights_are_told_from_a_broken_batch():
    runner, hook = runner_of(Net()), FiniteLossHook()
    hook.before_train(runner)
    runner.model.weight.data.fill_(math.nan)
    with pytest.raises(NonFiniteError, match='weight has not been since an earlier'):
        train_step(hook, runner, batch(1.0))


@pytest.mark.parametrize('name', ['weight', 'mean'])
def test_broken_weights_are_not_saved(name):
    runner, hook = runner_of(Net(), by_epoch=True), FiniteLossHook()
    hook.after_train_epoch(runner)
    getattr(runner.model, name).data.fill_(math.inf)
    with pytest.raises(NonFiniteError, match=rf'no longer finite \({name}\), so no'):
        hook.after_train_epoch(runner)


def test_weights_are_looked_at_before_iterations_are_saved():
    runner, hook = runner_of(Net(), by_epoch=False, interval=4), FiniteLossHook()
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
    runner, hook = runner_of(Net(), rank=rank), FiniteLossHook()
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
