"""What a generator's run shows of itself."""

import os
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmpretrain.registry import HOOKS

from custom_datasets.files import write_image
from custom_datasets.generation.flow import to_pixels
from custom_datasets.generation.grids import paint_grid


@HOOKS.register_module()
class SampleGridHook(Hook):  # type: ignore[misc]
    """Show some pictures of each class after a validation, of the same seeds each time.

    They go to ``samples/`` in the work directory, and to TensorBoard and the like.
    """

    # The moving average, if there is one, is still in the model's place.
    priority = 'HIGH'

    def __init__(self, columns: int = 8) -> None:
        """Show so many of each class."""
        self.columns = columns

    def after_val_epoch(
        self, runner: Any, metrics: dict[str, float] | None = None
    ) -> None:
        """Paint them, in the first process."""
        if runner.rank != 0:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        classes = runner.val_dataloader.dataset.metainfo['classes']
        device = next(model.parameters()).device
        rows = []
        for label in range(len(classes)):
            labels = torch.full((self.columns,), label, device=device)
            *_, made = model.sample(labels, range(self.columns))
            rows.append(to_pixels(made).permute(0, 2, 3, 1).cpu().numpy())
        grid = paint_grid(rows, classes)
        path = os.path.join(runner.work_dir, 'samples', f'epoch_{runner.epoch:04}.png')
        write_image(path, grid[:, :, ::-1])
        runner.visualizer.add_image('samples', grid, step=runner.epoch)
