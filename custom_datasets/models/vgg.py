"""VGG's convolutions as a backbone of detectors.

Simonyan and Zisserman, 2015: five stages of 3x3 convolutions, each but the first
behind a pooling by two. The last pooling and the classifier are left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmcv.cnn import VGG
from mmcv.cnn.vgg import make_vgg_layer
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

InitCfg = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None

_INIT = (
    {'type': 'Kaiming', 'layer': 'Conv2d'},
    {'type': 'Constant', 'val': 1, 'layer': 'BatchNorm2d'},
)


@MODELS.register_module()
class VGGBackbone(BaseModule):  # type: ignore[misc]
    """The features of chosen stages, counted from 0, each before its pooling.

    Weights are named as torchvision's (``features.0.weight``), so that
    ``torchvision://vgg16`` fits, and ``torchvision://vgg16_bn`` with batch norm;
    without ``init_cfg`` they are drawn as He et al. (2015) do. Channels double from
    stage to stage up to eight times ``base_channels``. The first ``frozen_stages``
    keep their weights.
    """

    def __init__(
        self,
        depth: int = 16,
        base_channels: int = 64,
        with_bn: bool = False,
        out_indices: Sequence[int] = (4,),
        frozen_stages: int = -1,
        init_cfg: InitCfg = None,
    ) -> None:
        """Build the convolutions."""
        super().__init__(init_cfg=init_cfg or [dict(part) for part in _INIT])
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        layers: list[nn.Module] = []
        self.stage_ends: list[int] = []
        inner = 3
        for stage, convolutions in enumerate(VGG.arch_settings[depth]):
            outer = base_channels * min(2**stage, 8)
            layers += make_vgg_layer(inner, outer, convolutions, with_bn=with_bn)
            self.stage_ends.append(len(layers) - 1)
            inner = outer
        self.features = nn.Sequential(*layers[:-1])
        self._freeze()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return features (n, channels, height // 2**s, width // 2**s) of stages s."""
        x, outs, start = images, [], 0
        for stage, end in enumerate(self.stage_ends):
            x = self.features[start:end](x)
            if stage in self.out_indices:
                outs.append(x)
            start = end
        return tuple(outs)

    def train(self, mode: bool = True) -> 'VGGBackbone':
        """Set the mode; batch norm of frozen stages stays in evaluation mode."""
        super().train(mode)
        self._freeze()
        return self

    def _freeze(self) -> None:
        if self.frozen_stages > 0:
            frozen = self.features[: self.stage_ends[self.frozen_stages - 1]]
            frozen.eval().requires_grad_(False)
