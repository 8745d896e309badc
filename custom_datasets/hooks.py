"""Hooks that every run of this package has."""

import random
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from torch import nn

from custom_datasets.errors import ConfigError


@HOOKS.register_module()
class ClassCountHook(Hook):  # type: ignore[misc]
    """Compare each head's ``num_classes`` with the data set's classes.

    Every module with a ``num_classes`` is compared but region proposal heads,
    which tell objects from background only, and backbones.

    Raises:
        ConfigError: Before the first iteration, if one differs.
    """

    def before_train(self, runner: Any) -> None:
        """Check against the training set."""
        self._check(runner, runner.train_dataloader.dataset)

    def before_val_epoch(self, runner: Any) -> None:
        """Check against the validation set."""
        self._check(runner, runner.val_dataloader.dataset)

    def before_test_epoch(self, runner: Any) -> None:
        """Check against the test set."""
        self._check(runner, runner.test_dataloader.dataset)

    def _check(self, runner: Any, dataset: Any) -> None:
        classes = dataset.metainfo.get('classes')
        if classes is None:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for name, count in head_class_counts(model).items():
            if count != len(classes):
                raise ConfigError(
                    f'model.{name} has num_classes={count}, but the data set has '
                    f'{len(classes)}: {", ".join(classes)}; in the config, write '
                    'num_classes=_base_.num_classes, or set classes=[...] for both'
                )


@HOOKS.register_module()
class OneWriterLoggerHook(LoggerHook):  # type: ignore[misc]
    """Write a test's metrics from the first process only.

    mmengine's hook writes the same JSON file from every process at once, which
    now and then leaves it broken.
    """

    def after_test_epoch(
        self, runner: Any, metrics: dict[str, float] | None = None
    ) -> None:
        """Log and write the metrics."""
        if runner.rank == 0:
            super().after_test_epoch(runner, metrics)


@HOOKS.register_module()
class EpochSeedHook(Hook):  # type: ignore[misc]
    """Seed Python, NumPy and PyTorch from seed, epoch and rank.

    A run that is resumed at the start of an epoch then draws the same numbers
    as one that was never interrupted, in loader workers too, since PyTorch
    seeds these from its own generator.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Any) -> None:
        """Seed for the epoch that begins."""
        state = (runner.seed, runner.epoch, runner.rank)
        seed = int(np.random.SeedSequence(state).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)


def keep_torch_seed(worker_id: int) -> None:
    """Leave a loader worker with the seed that PyTorch gave it."""


def head_class_counts(model: nn.Module) -> dict[str, int]:
    """Return ``num_classes`` of each head, by the module's dotted name."""
    counts = {}
    for name, module in model.named_modules():
        count = getattr(module, 'num_classes', None)
        path = name.split('.')
        if isinstance(count, int) and count > 0 and 'backbone' not in path:
            if 'rpn_head' not in path and any('head' in part for part in path):
                counts[name] = count
    return counts
