"""torchvision's kernel for deformable convolution, with mmcv's gradients.

Source: Dai et al., Deformable Convolutional Networks,
https://arxiv.org/abs/1703.06211, and Zhu et al., Deformable ConvNets v2,
https://arxiv.org/abs/1811.11168. Shapes are those of
`custom_datasets.ops.deform`.
"""

from typing import NamedTuple

import torch
import torchvision  # noqa: F401  (registers its kernels)
from torch import Tensor

from custom_datasets.ops.precision import working_dtype


class Geometry(NamedTuple):
    """The integers of a convolution, in the order of the kernel."""

    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    dilation_h: int
    dilation_w: int
    groups: int
    deform_groups: int


def convolve(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: Geometry,
) -> Tensor:
    """Return the (B, O, H', W') output, in the working precision."""
    tensors = _operands(input, weight, offset, mask, bias)
    output: Tensor = torch.ops.torchvision.deform_conv2d(
        *tensors, *geometry, mask is not None
    )
    return output


def differentiate(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: Geometry,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of input, weight, offset, mask and bias.

    A sample exactly one pixel before the image is 0, and mmcv gives it no
    gradient, while torchvision takes the slope towards the image. With
    padding and offsets of 0, as at the start of a training, whole borders of
    samples lie there, so mmcv's choice is restored.
    """
    tensors = _operands(input, weight, offset, mask, bias)
    gradients: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] = (
        torch.ops.torchvision._deform_conv2d_backward(
            grad_output.to(tensors[0]), *tensors, *geometry, mask is not None
        )
    )
    before = _positions(tensors[2], weight, geometry) == -1
    gradients[2].masked_fill_(before, 0)
    return gradients


def _positions(offset: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """Return where samples lie in the image, in pixels and laid out as `offset`."""
    kernel_h, kernel_w = weight.shape[2:]
    height, width = offset.shape[2:]
    with offset.device:
        row = torch.arange(height) * geometry.stride_h - geometry.pad_h
        column = torch.arange(width) * geometry.stride_w - geometry.pad_w
        y = row + torch.arange(kernel_h).unsqueeze(1) * geometry.dilation_h
        x = column + torch.arange(kernel_w).unsqueeze(1) * geometry.dilation_w
        grid = torch.empty(kernel_h, kernel_w, 2, height, width)
    grid[:, :, 0] = y[:, None, :, None]
    grid[:, :, 1] = x[None, :, None, :]
    grid = grid.flatten(end_dim=2).repeat(geometry.deform_groups, 1, 1)
    return offset + grid


def _operands(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
) -> list[Tensor]:
    """Cast to one dtype, and stand in for an absent mask and bias."""
    if mask is None:
        mask = input.new_zeros(len(input), 1)
    if bias is None:
        bias = input.new_zeros(len(weight))
    dtype = working_dtype(input)
    return [tensor.to(dtype) for tensor in (input, weight, offset, mask, bias)]
