"""Steps in bfloat16: what is computed in it, and what stays float32."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from custom_datasets.errors import UserError
from custom_datasets.training.precision import (
    BFloat16OptimWrapper,
    PrecisionHook,
    precision_of,
)

SGD = {'type': 'SGD', 'lr': 0.1, 'weight_decay': 0.1}


class Layers(BaseModel):
    """Two layers, and a loss that notes the numbers in which they compute."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 2, 3)

    def forward(self, inputs, mode='loss'):
        self.features = self.last(self.norm(self.conv(inputs)).relu())
        return {
            'loss': nn.functional.mse_loss(self.features, inputs[:, :2, 2:-2, 2:-2])
        }


def built(kind, model, **settings):
    cfg = {'type': kind, 'optimizer': SGD, **settings}
    return build_optim_wrapper(model, cfg)


def trained(kind, steps=1, **settings):
    """Return a model after some steps, and the numbers in which it computed."""
    model = Layers()
    wrapper = built(kind, model, **settings)
    wrapper.initialize_count_status(model, 0, steps)
    for step in range(steps):
        torch.manual_seed(step)
        model.train_step({'inputs': torch.randn(2, 3, 8, 8)}, wrapper)
    return model, wrapper


@pytest.mark.parametrize('scope', ['mmdet', 'mmpretrain'])
def test_both_tasks_find_it(scope):
    with DefaultScope.overwrite_default_scope(scope):
        wrapper = built('BFloat16OptimWrapper', Layers())
    assert type(wrapper) is BFloat16OptimWrapper


def test_a_step_computes_in_bfloat16_and_leaves_weights_in_float32():
    model, _ = trained('BFloat16OptimWrapper')
    plain, _ = trained('OptimWrapper')
    assert model.features.dtype == torch.bfloat16
    assert plain.features.dtype == torch.float32
    for weight, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert weight.dtype == torch.float32
        torch.testing.assert_close(weight, other, atol=0.004, rtol=0.02)
    assert not torch.equal(model.conv.weight, plain.conv.weight)
    with torch.no_grad():
        model(torch.randn(2, 3, 8, 8))
    assert model.features.dtype == torch.float32


@pytest.mark.parametrize(
    'settings',
    [
        {'accumulative_counts': 2},
        {'clip_grad': {'max_norm': 0.01}},
        {'paramwise_cfg': {'custom_keys': {'conv': {'lr_mult': 0}}}},
    ],
)
def test_what_else_a_wrapper_does(settings):
    """As much as in float32, and not the same as without it."""
    model, _ = trained('BFloat16OptimWrapper', 3, **settings)
    plain, _ = trained('OptimWrapper', 3, **settings)
    without, _ = trained('BFloat16OptimWrapper', 3)
    for name, weight in plain.state_dict().items():
        torch.testing.assert_close(
            model.state_dict()[name], weight, atol=0.004, rtol=0.02, msg=name
        )
    difference = (model.conv.weight - without.conv.weight).abs().max()
    assert difference > 0.01


def test_gradients_are_held_back_while_they_add_up():
    """A distributed model synchronises them in every second step only."""
    entered = []

    class Held:
        def __enter__(self):
            entered.append(True)

        def __exit__(self, *_):
            pass

    model = Layers()
    model.no_sync = Held
    wrapper = built('BFloat16OptimWrapper', model, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    for _ in range(4):
        model.train_step({'inputs': torch.randn(2, 3, 8, 8)}, wrapper)
    assert len(entered) == 2


def test_a_checkpoint_and_a_record_say_it():
    checkpoint = {'meta': {'epoch': 1}}
    wrapper = built('BFloat16OptimWrapper', Layers())
    runner = SimpleNamespace(optim_wrapper=wrapper)
    PrecisionHook().before_save_checkpoint(runner, checkpoint)
    assert checkpoint['meta'] == {'epoch': 1, 'precision': 'bfloat16'}
    assert precision_of(built('OptimWrapper', Layers())) == 'float32'


@pytest.mark.parametrize(
    ('dtype', 'said'), [(None, 'float16'), (torch.bfloat16, 'bfloat16')]
)
def test_what_mmengine_computes_in_on_a_gpu(dtype, said):
    from mmengine.optim import AmpOptimWrapper

    wrapper = AmpOptimWrapper.__new__(AmpOptimWrapper)
    wrapper.cast_dtype = dtype
    assert precision_of(wrapper) == said


def test_a_state_is_that_of_mmengines_wrapper():
    """So that a checkpoint is resumed by either."""
    model, wrapper = trained('BFloat16OptimWrapper')
    plain = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    assert wrapper.state_dict().keys() == plain.state_dict().keys()


def test_a_gpu_without_bfloat16_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda: False)
    with pytest.raises(UserError, match='this GPU has none; --amp has float16'):
        BFloat16OptimWrapper(optimizer=None)
