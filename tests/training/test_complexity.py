"""Multiply-adds, against numbers worked out by hand."""

import torch
from mmengine.model import BaseModel
from torch import nn

from custom_datasets.training.facts import count_macs

SAMPLE = {'inputs': torch.zeros(3, 8, 10)}


class Net(BaseModel):
    def __init__(self):
        super().__init__({'type': 'ImgDataPreprocessor'})
        self.layers = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, stride=2),
            nn.BatchNorm2d(6),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 5),
        )

    def forward(self, inputs, data_samples=None, mode='tensor'):
        assert mode == 'tensor'
        return self.layers(inputs)


def test_convolutions_and_products_count():
    model = Net().train()
    model.layers[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = count_macs(model, SAMPLE)
    # Four rows of five outputs, each of six times 3 x 3 x 3; then 6 x 5.
    assert found == {
        'macs': 4 * 5 * 6 * 27 + 30,
        'input_shape': [3, 8, 10],
        'why': None,
    }
    assert model.training
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items())


def test_a_model_that_fails_says_why():
    class Picky(Net):
        def forward(self, inputs, data_samples=None, mode='tensor'):
            raise RuntimeError('not for one image\nat all')

    assert count_macs(Picky(), SAMPLE) == {
        'macs': None,
        'input_shape': None,
        'why': 'RuntimeError: not for one image',
    }
