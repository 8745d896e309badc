"""Deformable convolution with the calling conventions of ``mmcv._ext``.

Source: Dai et al., Deformable Convolutional Networks,
https://arxiv.org/abs/1703.06211, and Zhu et al., Deformable ConvNets v2,
https://arxiv.org/abs/1811.11168.

With G groups, D deformable groups and K = kernel height times width: `input`
is (B, C, H, W), `weight` (O, C / G, kernel height, kernel width), `offset`
(B, 2 D K, H', W') in pixels with the vertical one first, `mask` (B, D K, H',
W'), `bias` (O,) and `output` (B, O, H', W'). Results go into the tensors that
the caller passes. Gradients of `input`, `weight` and `bias` are added to what
they hold; those of `offset` and `mask` replace it.

mmcv names the integers (`settings`). Its scratch tensors (`columns`, `ones`), the
kernel's size and ``im2col_step`` are for mmcv's own kernels and have no effect here.
"""

from typing import NamedTuple

import torch
import torchvision  # noqa: F401  (registers its kernels)
from torch import Tensor

from custom_datasets.ops.precision import working_dtype

__all__ = [
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
]

_V1 = 'dH dW padH padW dilationH dilationW group deformable_group'.split()
_V2 = (
    'stride_h stride_w pad_h pad_w dilation_h dilation_w group deformable_group'.split()
)


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **settings: int,
) -> None:
    """Convolve `input` at its displaced positions into `output`."""
    geometry = _Geometry(*(settings[name] for name in _V1))
    output.copy_(_convolve(input, weight, offset, None, None, geometry))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **settings: int,
) -> None:
    """Compute the gradients of `input` and `offset`."""
    geometry = _Geometry(*(settings[name] for name in _V1))
    gradients = _differentiate(gradOutput, input, weight, offset, None, None, geometry)
    gradInput.add_(gradients[0])
    gradOffset.copy_(gradients[2])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float,
    **settings: int,
) -> None:
    """Add `scale` times the gradient of the weight to `gradWeight`."""
    geometry = _Geometry(*(settings[name] for name in _V1))
    # The gradient of the weight doesn't depend on the weight, only its shape.
    gradients = _differentiate(
        gradOutput, input, gradWeight, offset, None, None, geometry
    )
    gradWeight.add_(gradients[1], alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    with_bias: bool,
    **settings: int,
) -> None:
    """Convolve displaced positions, each weighted by `mask`, into `output`."""
    geometry = _Geometry(*(settings[name] for name in _V2))
    used_bias = bias if with_bias else None
    output.copy_(_convolve(input, weight, offset, mask, used_bias, geometry))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    with_bias: bool,
    **settings: int,
) -> None:
    """Compute all gradients; `grad_bias` only if there is a bias."""
    geometry = _Geometry(*(settings[name] for name in _V2))
    used_bias = bias if with_bias else None
    gradients = _differentiate(
        grad_output, input, weight, offset, mask, used_bias, geometry
    )
    grad_input.add_(gradients[0])
    grad_weight.add_(gradients[1])
    grad_offset.copy_(gradients[2])
    grad_mask.copy_(gradients[3])
    if with_bias:
        grad_bias.add_(gradients[4])


class _Geometry(NamedTuple):
    """The integers of a convolution, in the order of torchvision's kernel."""

    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    dilation_h: int
    dilation_w: int
    groups: int
    deform_groups: int


def _convolve(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: _Geometry,
) -> Tensor:
    tensors = _operands(input, weight, offset, mask, bias)
    output: Tensor = torch.ops.torchvision.deform_conv2d(
        *tensors, *geometry, mask is not None
    )
    return output


def _differentiate(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: _Geometry,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of input, weight, offset, mask and bias.

    A sample exactly one pixel before the image is 0, and mmcv gives it no
    gradient, while torchvision takes the slope towards the image. With padding and
    offsets of 0, as at the start of training, whole borders of samples lie there, so
    mmcv's choice is restored.
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


def _positions(offset: Tensor, weight: Tensor, geometry: _Geometry) -> Tensor:
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
    if mask is None:
        mask = input.new_zeros(len(input), 1)
    if bias is None:
        bias = input.new_zeros(len(weight))
    dtype = working_dtype(input)
    return [tensor.to(dtype) for tensor in (input, weight, offset, mask, bias)]
