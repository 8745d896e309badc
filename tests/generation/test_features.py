"""The features that pictures are compared by."""

import numpy as np
import pytest
import torch
import torchvision

from custom_datasets import weights
from custom_datasets.errors import UserError
from custom_datasets.generation import features
from custom_datasets.generation.features import FeatureNetwork


@pytest.fixture
def random_weights(monkeypatch, tmp_path):
    """MobileNetV2 with weights of nobody's, from the file that would have them."""
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v2().eval()
    path = tmp_path / 'weights.pth'
    torch.save(network.state_dict(), path)
    monkeypatch.setattr(features, 'find_weights', lambda name: str(path))
    return network


def test_features_are_what_the_classifier_would_see(random_weights):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 3, 48, 64), dtype=np.uint8)
    pictures = torch.from_numpy(pixels)
    ready = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.transforms()
    inputs = torchvision.transforms.functional.resize(
        pictures, [224, 224], antialias=True
    )
    inputs = torchvision.transforms.functional.normalize(
        inputs / 255, ready.mean, ready.std
    )
    random_weights.classifier = torch.nn.Identity()
    with torch.no_grad():
        expected = random_weights(inputs)

    found = FeatureNetwork.load().features(pictures)

    assert found.shape == (3, 1280) and found.dtype == np.float32
    scale = float(expected.abs().max())
    np.testing.assert_allclose(found, expected, atol=0.01 * scale)
    assert np.ptp(found, axis=0).max() > 0.1 * scale


def test_batches_make_no_difference(random_weights, monkeypatch):
    pictures = torch.arange(5 * 3 * 32 * 32).reshape(5, 3, 32, 32).to(torch.uint8)
    network = FeatureNetwork.load()
    whole = network.features(pictures)
    monkeypatch.setattr(features, '_BATCH', 2)
    np.testing.assert_allclose(network.features(pictures), whole, atol=1e-4)


def test_weights_that_are_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    with pytest.raises(UserError, match=r'not there; run: python tools/fetch_weights'):
        FeatureNetwork.load()
    assert list(tmp_path.iterdir()) == []
    assert weights.WEIGHTS['mobilenet_v2']
