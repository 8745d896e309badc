"""Focal losses with the calling conventions of ``mmcv._ext``.

Source: Lin et al., Focal Loss for Dense Object Detection,
https://arxiv.org/abs/1708.02002. `target` is (N,) int64 class numbers and
`weight` (C,), one for each class that a target may be, or empty. Targets that
are no class (background) weigh 1. Results go into the tensor that the caller
passes.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from custom_datasets.ops.precision import working_dtype

__all__ = [
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
]


def sigmoid_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Compute the focal loss of (N, C) logits into `output`, (N, C).

    A target of C is background, negative for every class; a larger one raises a
    ValueError.
    """
    _check_targets(target, input.shape[1])
    log_p, q, factor, _ = _sigmoid_terms(input, target, weight, alpha)
    output.copy_(factor * q**gamma * -log_p)


def sigmoid_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Compute the derivative of each loss by its logit into `grad_input`."""
    log_p, q, factor, sign = _sigmoid_terms(input, target, weight, alpha)
    slope = q**gamma * (gamma * (1 - q) * log_p - q)
    grad_input.copy_(factor * sign * slope)


def softmax_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Compute the focal loss of (N, C) probabilities into `output`, (N,).

    Negative targets are ignored: their loss and gradient are 0. A target of C or
    larger raises a ValueError.
    """
    _check_targets(target, input.shape[1] - 1)
    log_p, p, factor = _softmax_terms(input, target, weight, alpha)
    output.copy_(factor * (1 - p) ** gamma * -log_p)


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Compute the derivative by the logits into `grad_input`, (N, C).

    `input` holds the probabilities; `buff`, (N,), is overwritten.
    """
    log_p, p, factor = _softmax_terms(input, target, weight, alpha)
    # The floor keeps a gamma below 1 finite at p = 1, where the term is 0.
    q = (1 - p).clamp(min=torch.finfo(p.dtype).tiny)
    slope = factor * (gamma * q ** (gamma - 1) * p * log_p - (1 - p) ** gamma)
    buff.copy_(slope)
    classes = torch.arange(input.shape[1], device=input.device)
    hot = target.unsqueeze(1) == classes
    grad_input.copy_(slope.unsqueeze(1) * (hot.to(p.dtype) - input.to(p.dtype)))


def _sigmoid_terms(
    input: Tensor, target: Tensor, weight: Tensor, alpha: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Treat each logit as a vote for what the target says, yes or no.

    Returns:
        Four (N, C): the logarithm of the probability p of the right answer,
        q = 1 - p, the factor of the loss, and the sign of the logit in p.
    """
    classes = torch.arange(input.shape[1], device=input.device)
    positive = target.unsqueeze(1) == classes
    logits = input.to(working_dtype(input))
    sign = positive.to(logits.dtype) * 2 - 1
    factor = torch.full_like(logits, 1 - alpha).masked_fill_(positive, alpha)
    if weight.numel():
        factor = factor * _target_weights(weight, target, logits).unsqueeze(1)
    log_p = _floor(logsigmoid(sign * logits))
    return log_p, torch.sigmoid(-sign * logits), factor, sign


def _softmax_terms(
    input: Tensor, target: Tensor, weight: Tensor, alpha: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log p, p and the factor of the loss, (N,) each."""
    probabilities = input.to(working_dtype(input))
    p = probabilities.gather(1, target.clamp(min=0).unsqueeze(1)).squeeze(1)
    factor = alpha * (target >= 0).to(p.dtype)
    if weight.numel():
        factor = factor * _target_weights(weight, target, p)
    return _floor(p.log()), p, factor


def _target_weights(weight: Tensor, target: Tensor, like: Tensor) -> Tensor:
    count = weight.numel()
    padded = torch.cat((weight.to(like), like.new_ones(1)))
    is_class = (target >= 0) & (target < count)
    return padded[torch.where(is_class, target, count)]


def _floor(log_p: Tensor) -> Tensor:
    return log_p.clamp(min=math.log(torch.finfo(log_p.dtype).tiny))


def _check_targets(target: Tensor, largest: int) -> None:
    if target.numel() and int(target.max()) > largest:
        raise ValueError(
            f'target {int(target.max())} is not a class, the largest allowed is '
            f'{largest}; does num_classes of the head match the data set?'
        )
