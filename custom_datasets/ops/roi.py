"""RoI pooling with the calling conventions of ``mmcv._ext``.

Features are (B, C, H, W). RoIs are (R, 5): the index of the image in the
batch, then ``xyxy`` in pixels of the image, which `spatial_scale` maps to
pixels of the features. Results go into the tensor that the caller passes;
gradients are added to it.
"""

import torch
import torchvision  # noqa: F401  (registers its kernels)
from torch import Tensor

from custom_datasets.ops.precision import working_dtype
from custom_datasets.ops.uncovered import not_covered

__all__ = [
    'roi_align_backward',
    'roi_align_forward',
    'roi_pool_backward',
    'roi_pool_forward',
]


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Average bilinear samples in each bin of each RoI.

    Source: He et al., Mask R-CNN, https://arxiv.org/abs/1703.06870. `output`
    is (R, C, aligned_height, aligned_width). `sampling_ratio` 0 takes as many
    samples as a bin has pixels. `aligned` shifts RoIs by half a pixel. `pool_mode` 0,
    the maximum, raises NotImplementedError.
    """
    _check_mode(pool_mode)
    pooled = torch.ops.torchvision.roi_align(
        *_operands(input, rois),
        spatial_scale,
        aligned_height,
        aligned_width,
        sampling_ratio,
        aligned,
    )
    output.copy_(pooled)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Add the gradient of `roi_align_forward` to `grad_input`."""
    _check_mode(pool_mode)
    gradient = torch.ops.torchvision._roi_align_backward(
        *_operands(grad_output, rois),
        spatial_scale,
        aligned_height,
        aligned_width,
        *grad_input.shape,
        sampling_ratio,
        aligned,
    )
    grad_input.add_(gradient)


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Take the maximum of the pixels that each bin of each RoI touches.

    torchvision rounds a RoI to whole pixels before it divides, mmcv after. The bins
    are therefore laid out here, and torchvision's kernel pools each as a RoI of its
    own. A bin without pixels yields 0 and takes no gradient.

    `output` is (R, C, pooled_height, pooled_width); `argmax`, int32 of the
    same shape, becomes the position of the maximum in the image, -1 if none.
    """
    input, rois = _operands(input, rois)
    height, width = input.shape[2:]
    x1, y1 = (rois[:, 1:3] * spatial_scale).unbind(dim=1)
    x2, y2 = ((rois[:, 3:5] + 1) * spatial_scale).unbind(dim=1)
    left, right = _bin_edges(x1, x2, pooled_width, width)
    top, bottom = _bin_edges(y1, y2, pooled_height, height)

    bins = rois.new_empty(len(rois), pooled_height, pooled_width, 5)
    bins[..., 0] = rois[:, 0, None, None]
    bins[..., 1] = left[:, None, :]
    bins[..., 2] = top[:, :, None]
    bins[..., 3] = right[:, None, :] - 1
    bins[..., 4] = bottom[:, :, None] - 1
    empty = (bins[..., 3] < bins[..., 1]) | (bins[..., 4] < bins[..., 2])
    empty |= ((x2 <= x1) | (y2 <= y1))[:, None, None]

    pooled, position = torch.ops.torchvision.roi_pool(
        input, bins.flatten(end_dim=2), 1.0, 1, 1
    )
    shape = (*empty.shape, input.shape[1])
    pooled = pooled.view(shape).permute(0, 3, 1, 2)
    position = position.view(shape).permute(0, 3, 1, 2)
    output.copy_(pooled.masked_fill(empty.unsqueeze(1), 0))
    argmax.copy_(position.masked_fill(empty.unsqueeze(1), -1))


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Add the gradient of `roi_pool_forward` to `grad_input`."""
    gradient = torch.ops.torchvision._roi_pool_backward(
        *_operands(grad_output, rois),
        argmax,
        spatial_scale,
        pooled_height,
        pooled_width,
        *grad_input.shape,
    )
    grad_input.add_(gradient)


def _check_mode(pool_mode: int) -> None:
    if pool_mode == 0:
        not_covered("roi_align with pool_mode='max'")


def _operands(features: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
    dtype = working_dtype(features)
    return features.to(dtype), rois.to(dtype)


def _bin_edges(
    start: Tensor, end: Tensor, bins: int, limit: int
) -> tuple[Tensor, Tensor]:
    """Divide (R,) intervals into bins of whole pixels within the image.

    The two (R, bins) are the first pixel of each bin, and the one after its last.
    """
    step = ((end - start) / bins).unsqueeze(1)
    number = torch.arange(bins + 1, device=start.device)
    edge = number * step + start.unsqueeze(1)
    first = edge[:, :-1].floor().clamp(0, limit)
    beyond = edge[:, 1:].ceil().clamp(0, limit)
    return first, beyond
