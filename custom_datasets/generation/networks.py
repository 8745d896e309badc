"""The network of a generator: diffusers' U-Net, on patches instead of pixels."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.registry import MODELS
from torch import nn

from custom_datasets.errors import ConfigError, UserError


@MODELS.register_module()
class PatchUNet(nn.Module):
    """A U-Net with a time and a class, after Ho et al. 2020 (arXiv 2006.11239).

    A square of ``patch`` by ``patch`` pixels is one position with ``3 * patch ** 2``
    channels, so that a CPU can train it: at 64 pixels and a patch of 4 the largest maps
    have 16 by 16 positions. Layers are those of diffusers' ``UNet2DModel``.
    """

    def __init__(
        self,
        size: int,
        num_classes: int,
        patch: int = 4,
        channels: Sequence[int] = (96, 160, 256),
        blocks: int = 1,
        attention: Sequence[bool] = (False, False, True),
        dropout: float = 0.1,
    ) -> None:
        """Build it.

        Args:
            size: Side of a picture, in pixels.
            num_classes: Classes; one more number, the last, stands for "any".
            patch: Side of a patch, in pixels.
            channels: Of each level; each has half the positions of the one before.
            blocks: Residual blocks of each level.
            attention: Which levels have self-attention.
            dropout: Share of a block's channels that training sets to zero.

        Raises:
            ConfigError: ``size`` can't be divided so often.
            UserError: diffusers is not installed.
        """
        super().__init__()
        coarsest = patch * 2 ** (len(channels) - 1)
        if size % coarsest:
            raise ConfigError(
                f'model.size={size}: it must be a multiple of {coarsest} (a patch of '
                f'{patch} pixels, halved {len(channels) - 1} times)'
            )
        self.patch = patch
        self.unet = _unet_class()(
            sample_size=size // patch,
            in_channels=3 * patch**2,
            out_channels=3 * patch**2,
            block_out_channels=tuple(channels),
            layers_per_block=blocks,
            down_block_types=_kinds('DownBlock2D', attention),
            up_block_types=_kinds('UpBlock2D', attention[::-1]),
            num_class_embeds=num_classes + 1,
            resnet_time_scale_shift='scale_shift',
            attention_head_dim=32,
            dropout=dropout,
        )

    def forward(
        self, pictures: torch.Tensor, times: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Return the clean pictures that the network sees behind the noise.

        Args:
            pictures: (N, 3, size, size), noisy, of about unit variance.
            times: (N,), from 0 (noise) to 1 (clean).
            labels: (N,), class numbers; ``num_classes`` for any.

        Returns:
            (N, 3, size, size), in the range of the data.
        """
        patches = F.pixel_unshuffle(pictures, self.patch)
        # Its sinusoids are made for the thousand steps of a diffusion model.
        clean = self.unet(patches, times * 1000, labels).sample
        return F.pixel_shuffle(clean, self.patch)


def _kinds(block: str, attention: Sequence[bool]) -> tuple[str, ...]:
    return tuple(f'Attn{block}' if each else block for each in attention)


def _unet_class() -> Any:
    try:
        from diffusers.models.unets.unet_2d import UNet2DModel
    except ModuleNotFoundError as error:
        raise UserError(
            f'a generator needs {error.name}; run: pip install -r '
            'requirements/generation.txt'
        ) from error
    return UNet2DModel
