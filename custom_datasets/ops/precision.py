"""The precision in which the operators compute."""

import torch
from torch import Tensor


def working_dtype(tensor: Tensor) -> torch.dtype:
    """Return float64 for a float64 tensor, float32 for all others."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32
