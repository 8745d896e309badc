"""What validation says of made pictures."""

import logging

import numpy as np
import pytest
import torch

from custom_datasets.errors import UserError
from custom_datasets.evaluation.distributions import kernel_distance
from custom_datasets.generation import metric as module
from custom_datasets.generation.metric import GenerationMetric


class Colours:
    """Stands in for a network: its features are mean red, green and blue."""

    def features(self, pictures):
        return pictures.float().mean(dim=(2, 3)).numpy() / 255


@pytest.fixture
def said(monkeypatch):
    """What is logged, and how seriously."""
    lines = []
    monkeypatch.setattr(
        module, 'print_log', lambda text, logger, level: lines.append((level, text))
    )
    return lines


@pytest.fixture
def loads(monkeypatch):
    monkeypatch.setattr(module.FeatureNetwork, 'load', lambda: Colours())


def measure(real, made, losses=None):
    """Feed them in batches of two, real ones as a loader has them, in BGR."""
    metric = GenerationMetric()
    losses = losses or [None] * len(real)
    for start in range(0, len(real), 2):
        part = slice(start, start + 2)
        samples = [
            {'picture': picture, **({} if loss is None else {'held_out_loss': loss})}
            for picture, loss in zip(made[part], losses[part], strict=True)
        ]
        metric.process({'inputs': list(real[part].flip(1))}, samples)
    return metric.evaluate(len(real))


def pictures(count, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (count, 3, 1, 1), dtype=np.uint8)
    return torch.from_numpy(values).expand(-1, -1, 4, 4)


def test_kid_is_between_real_and_made_ones_in_rgb(loads):
    real, made = pictures(7, 0), pictures(7, 1)
    expected = kernel_distance(*(Colours().features(each) for each in (real, made)))
    assert measure(real, made) == {'generation/KID': pytest.approx(expected.value)}


def test_the_held_out_loss_is_a_mean_over_pictures(loads):
    real = pictures(3, 0)
    losses = [torch.tensor(0.25), torch.tensor(0.5), torch.tensor(0.75)]
    metrics = measure(real, pictures(3, 1), losses)
    assert list(metrics) == ['generation/KID', 'generation/held_out_loss']
    assert metrics['generation/held_out_loss'] == pytest.approx(0.5)


def test_without_weights_there_is_no_kid_and_that_is_said(monkeypatch, said):
    def load():
        raise UserError('w.pth: not there; run this')

    monkeypatch.setattr(module.FeatureNetwork, 'load', load)
    metrics = measure(pictures(3, 0), pictures(3, 1), [torch.tensor(0.5)] * 3)
    assert metrics == {'generation/held_out_loss': pytest.approx(0.5)}
    assert said == [(logging.WARNING, 'no KID: w.pth: not there; run this')]


def test_two_pictures_are_too_few_for_kid(loads, said):
    metrics = measure(pictures(2, 0), pictures(2, 1), [torch.tensor(0.5)] * 2)
    assert metrics == {'generation/held_out_loss': pytest.approx(0.5)}
    text = 'no KID: it takes three pictures on each side, at least'
    assert said == [(logging.WARNING, text)]
