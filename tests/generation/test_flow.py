"""The flow: its loss, how it makes pictures, and that it learns."""

import sys

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

import custom_datasets.generation.task  # noqa: F401 - it registers
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.generation.flow import RectifiedFlow, to_pixels
from custom_datasets.training.hooks import head_class_counts

SMALL = {
    'type': 'PatchUNet',
    'channels': (32, 32),
    'attention': (False, True),
    'dropout': 0.0,
}


class StandIn(nn.Module):
    """Answers with a value for each class, whatever it sees."""

    def __init__(self, size, num_classes, values=(0.5, -0.5, 0.0)):
        super().__init__()
        self.register_buffer('values', torch.tensor(values))
        self.asked = []

    def forward(self, pictures, times, labels):
        self.asked.append((times, labels))
        return self.values[labels].view(-1, 1, 1, 1).expand_as(pictures)


@pytest.fixture(autouse=True)
def scope():
    if 'StandIn' not in MODELS.module_dict:
        MODELS.register_module(module=StandIn)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def flow(network=None, **settings):
    torch.manual_seed(0)
    network = network or {'type': 'StandIn'}
    return RectifiedFlow(network, num_classes=2, size=16, **settings)


def of_value(*values):
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 3, 16, 16).clone()


def test_the_loss_of_the_right_pictures_is_zero():
    model = flow(drop_label=0.0)
    losses = model.loss(of_value(0.5, -0.5), torch.tensor([0, 1]))
    assert losses['loss'] == 0


@pytest.mark.parametrize(('mean', 'left'), [(0.0, 0.5), (20.0, 0.05)])
def test_the_loss_is_the_velocitys(mean, left):
    """An error of 1 in the picture is one of 1 / (time left) in the velocity."""
    model = flow(drop_label=0.0, time_mean=mean, time_std=0.0)
    losses = model.loss(of_value(1.5, 0.5), torch.tensor([0, 1]))
    assert losses['loss'] == pytest.approx(1 / left**2, rel=1e-4)


def test_a_share_of_the_labels_is_hidden():
    model = flow(drop_label=0.25)
    model.loss(torch.zeros(400, 3, 16, 16), torch.tensor([0, 1] * 200))
    _, labels = model.network.asked[0]
    assert 60 < (labels == 2).sum() < 140
    assert (labels[::2] != 1).all() and (labels[1::2] != 0).all()


@pytest.mark.parametrize('steps', [1, 2, 7])
def test_every_path_ends_at_what_the_network_sees(steps):
    model = flow(steps=steps, guidance=1.0)
    states = list(model.sample(torch.tensor([0, 1]), [3, 4]))
    assert len(states) == steps
    torch.testing.assert_close(states[-1], of_value(0.5, -0.5), atol=1e-5, rtol=0)


def test_guidance_moves_away_from_what_any_class_would_be():
    model = flow(steps=2, guidance=3.0)
    *_, made = model.sample(torch.tensor([0, 1]), [3, 4])
    torch.testing.assert_close(made, of_value(1.5, -1.5), atol=1e-5, rtol=0)


def test_times_go_from_noise_to_picture():
    model = flow(steps=4, guidance=1.0)
    list(model.sample(torch.tensor([0]), [0]))
    times = [float(asked[0]) for asked, _ in model.network.asked]
    assert times == [0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75]


def test_a_seed_makes_one_picture_whatever_is_beside_it():
    model = flow(SMALL).eval()
    labels = torch.tensor([0, 1, 0])
    *_, alone = model.sample(labels[:1], [7])
    *_, beside = model.sample(labels, [5, 6, 7])
    torch.testing.assert_close(alone[0], beside[2], atol=4e-3, rtol=0)
    assert (beside[0] - beside[2]).abs().max() > 0.1


def test_pictures_of_another_size_are_refused():
    with pytest.raises(ConfigError, match=r'model\.size=16, .* 24x8: set image_scale'):
        flow()(torch.zeros(1, 3, 8, 24), [], 'loss')


def test_a_size_that_cannot_be_halved_is_refused():
    network = {**SMALL, 'channels': (32, 32, 32), 'attention': (False,) * 3}
    with pytest.raises(ConfigError, match='must be a multiple of 16'):
        RectifiedFlow(network, num_classes=2, size=24)


def test_diffusers_missing_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, 'diffusers.models.unets.unet_2d', None)
    with pytest.raises(UserError, match=r'install -r requirements/generation\.txt'):
        flow(SMALL)


def test_prediction_is_the_same_each_time():
    model = flow(SMALL, steps=2).eval()

    def predict():
        samples = [
            DataSample(metainfo={'sample_idx': index}).set_gt_label(index % 2)
            for index in (0, 1, 5)
        ]
        return model(of_value(0.5, -0.5, 0.1), samples, 'predict')

    first, again = predict(), predict()
    for one, other in zip(first, again, strict=True):
        assert one.picture.dtype == torch.uint8 and one.picture.shape == (3, 16, 16)
        assert torch.equal(one.picture, other.picture)
        assert one.held_out_loss == other.held_out_loss > 0


def test_its_classes_are_counted():
    """The runner compares them with the data set's, as those of heads."""
    assert head_class_counts(flow()) == {'': 2}


def test_pixels_are_rounded_and_cut():
    values = torch.tensor([-1.2, -1.0, 0.0, 0.004, 1.0, 1.2])
    assert to_pixels(values).tolist() == [0, 0, 128, 128, 255, 255]


def test_it_learns_which_class_is_which():
    """Bright and dark squares, 120 steps."""
    model = flow(SMALL, steps=4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    labels = torch.tensor([0, 1] * 8)
    pictures = of_value(*([0.7, -0.7] * 8))
    for _ in range(120):
        optimizer.zero_grad()
        model.loss(pictures, labels)['loss'].backward()
        optimizer.step()
    *_, made = model.eval().sample(torch.tensor([0, 1]), [1, 2])
    bright, dark = made.mean(dim=(1, 2, 3))
    assert bright > 0.4 and dark < -0.4
