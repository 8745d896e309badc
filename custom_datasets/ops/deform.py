"""Deformable convolution with the calling conventions of ``mmcv._ext``.

With G groups, D deformable groups and K = kernel height times width: `input`
is (B, C, H, W), `weight` (O, C / G, kernel height, kernel width), `offset`
(B, 2 D K, H', W') in pixels with the vertical one first, `mask` (B, D K, H',
W'), `bias` (O,) and `output` (B, O, H', W'). Results go into the tensors that
the caller passes. Gradients of `input`, `weight` and `bias` are added to what
they hold; those of `offset` and `mask` replace it. The scratch tensors
`columns` and `ones` and the chunk size `im2col_step` are for mmcv's own
kernels and have no effect here.
"""

from torch import Tensor

from custom_datasets.ops.deform_kernel import Geometry, convolve, differentiate

__all__ = [
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
]


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Convolve `input` at its displaced positions into `output`."""
    geometry = Geometry(
        dH, dW, padH, padW, dilationH, dilationW, group, deformable_group
    )
    output.copy_(convolve(input, weight, offset, None, None, geometry))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Compute the gradients of `input` and `offset`."""
    geometry = Geometry(
        dH, dW, padH, padW, dilationH, dilationW, group, deformable_group
    )
    gradients = differentiate(gradOutput, input, weight, offset, None, None, geometry)
    gradInput.add_(gradients[0])
    gradOffset.copy_(gradients[2])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Add `scale` times the gradient of the weight to `gradWeight`."""
    geometry = Geometry(
        dH, dW, padH, padW, dilationH, dilationW, group, deformable_group
    )
    # The gradient of the weight doesn't depend on the weight, only its shape.
    gradients = differentiate(
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
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Convolve displaced positions, each weighted by `mask`, into `output`."""
    geometry = Geometry(
        *(stride_h, stride_w, pad_h, pad_w),
        *(dilation_h, dilation_w, group, deformable_group),
    )
    used_bias = bias if with_bias else None
    output.copy_(convolve(input, weight, offset, mask, used_bias, geometry))


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
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Compute all gradients; `grad_bias` only if there is a bias."""
    geometry = Geometry(
        *(stride_h, stride_w, pad_h, pad_w),
        *(dilation_h, dilation_w, group, deformable_group),
    )
    used_bias = bias if with_bias else None
    gradients = differentiate(
        grad_output, input, weight, offset, mask, used_bias, geometry
    )
    grad_input.add_(gradients[0])
    grad_weight.add_(gradients[1])
    grad_offset.copy_(gradients[2])
    grad_mask.copy_(gradients[3])
    if with_bias:
        grad_bias.add_(gradients[4])
