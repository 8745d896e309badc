"""VGG's convolutions against torchvision's."""

import pytest
import torch
from torch import nn
from torchvision.models import vgg

from custom_datasets.models.vgg import VGGBackbone

PLANS = {11: 'A', 13: 'B', 16: 'D', 19: 'E'}


@pytest.mark.parametrize('with_bn', [False, True])
@pytest.mark.parametrize('depth', PLANS)
def test_torchvisions_weights_fit_and_give_the_same(depth, with_bn):
    theirs = vgg.make_layers(vgg.cfgs[PLANS[depth]], batch_norm=with_bn).eval()
    ours = VGGBackbone(depth, with_bn=with_bn).eval()
    ours.load_state_dict({f'features.{k}': v for k, v in theirs.state_dict().items()})
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        (found,) = ours(images)
        assert torch.equal(found, theirs[:-1](images))
    assert found.shape == (2, 512, 4, 3)


def test_chosen_stages_and_a_narrow_one():
    backbone = VGGBackbone(11, base_channels=4, with_bn=True, out_indices=(0, 3, 4))
    found = backbone(torch.randn(1, 3, 75, 64))
    assert [tuple(f.shape[1:]) for f in found] == [
        (4, 75, 64),
        (32, 9, 8),
        (32, 4, 4),
    ]


def test_without_weights_they_are_drawn_as_he_et_al():
    backbone = VGGBackbone(11)
    backbone.init_weights()
    weight = backbone.features[3].weight
    # Of the last axis, 128 outputs of 3x3: gain sqrt(2), fan out.
    assert float(weight.std()) == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)


@pytest.mark.parametrize(('stages', 'convolutions'), [(-1, 0), (0, 0), (1, 2), (2, 4)])
def test_frozen_stages_keep_weights_and_statistics(stages, convolutions):
    backbone = VGGBackbone(with_bn=True, base_channels=2, frozen_stages=stages)
    backbone.train()
    for kind in (nn.Conv2d, nn.BatchNorm2d):
        layers = [layer for layer in backbone.features if isinstance(layer, kind)]
        frozen = [not layer.weight.requires_grad for layer in layers]
        assert frozen == [i < convolutions for i in range(13)]
        assert [not layer.training for layer in layers] == frozen
