"""What an ImageNet network sees on pictures, as numbers that can be compared."""

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from numpy.typing import NDArray
from torch import nn

from custom_datasets.weights import find_weights

_SIDE = 224
_BATCH = 4
"""Larger maps are handed back to the system, and zeroed, after each layer."""

# Of torchvision's MobileNet_V2_Weights.IMAGENET1K_V1.transforms().
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class FeatureNetwork:
    """MobileNetV2 up to its pooling (Sandler et al. 2018, arXiv 1801.04381).

    Its weights are torchvision's of 2018, whose 1280 features all its measures use.
    """

    def __init__(self, layers: nn.Module) -> None:
        """Take layers that return maps (N, 1280, h, w)."""
        self._layers = layers.eval()
        self._mean = torch.tensor(_MEAN).view(3, 1, 1)
        self._std = torch.tensor(_STD).view(3, 1, 1)

    @classmethod
    def load(cls) -> 'FeatureNetwork':
        """Load the weights.

        Raises:
            UserError: They have not been fetched, or are damaged.
        """
        path = find_weights('mobilenet_v2')
        network = torchvision.models.mobilenet_v2()
        network.load_state_dict(torch.load(path, weights_only=True))
        return cls(network.features)

    @torch.no_grad()
    def features(self, pictures: torch.Tensor) -> NDArray[np.float32]:
        """Return the features (N, 1280) of pictures, uint8 (N, 3, H, W) RGB."""
        parts = []
        for start in range(0, len(pictures), _BATCH):
            batch = pictures[start : start + _BATCH].float() / 255
            batch = F.interpolate(
                batch, (_SIDE, _SIDE), mode='bilinear', antialias=True
            )
            maps = self._layers((batch - self._mean) / self._std)
            parts.append(maps.mean(dim=(2, 3)).numpy())
        result: NDArray[np.float32] = np.concatenate(parts)
        return result
