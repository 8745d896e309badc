"""Training steps in bfloat16, and what a run and its checkpoints say of precision."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import HOOKS, OPTIM_WRAPPERS
from mmengine.runner import autocast
from torch import nn

from custom_datasets.errors import UserError


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):  # type: ignore[misc]
    """Compute losses under autocast to bfloat16, on a CPU or a GPU.

    Weights, gradients and the optimizer's state stay float32. Nothing is scaled, since
    bfloat16 has the range of float32.
    """

    def __init__(self, **settings: Any) -> None:
        """Take what mmengine's wrapper takes; raises a UserError on an older GPU."""
        if torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
            raise UserError('precision=bfloat16: this GPU has none; --amp has float16')
        super().__init__(**settings)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast, and hold back synchronisation while gradients add up."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield


@HOOKS.register_module()
class PrecisionHook(Hook):  # type: ignore[misc]
    """Let a checkpoint say in which precision it was trained."""

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add it beside epoch and classes."""
        checkpoint['meta']['precision'] = precision_of(runner.optim_wrapper)


def precision_of(wrapper: Any) -> str:
    """Return the numbers in which the steps of an optimizer's wrapper compute."""
    if isinstance(wrapper, BFloat16OptimWrapper):
        return 'bfloat16'
    if isinstance(wrapper, AmpOptimWrapper):
        return str(wrapper.cast_dtype or torch.float16).removeprefix('torch.')
    return 'float32'
