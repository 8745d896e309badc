"""Hooks that every run has: what stops it, and its seeds."""

import os
import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook, LoggerHook
from mmengine.registry import HOOKS
from torch import nn

from custom_datasets.errors import ConfigError, UserError
from custom_datasets.training.facts import bare_model, checkpoint_hook, iter_samples
from custom_datasets.training.precision import precision_of

Losses = Mapping[str, Any]
Parse = Callable[[Losses], tuple[torch.Tensor, Mapping[str, Any]]]


class NonFiniteError(UserError):
    """A loss or a weight is infinite or not a number."""


@HOOKS.register_module()
class ClassCountHook(Hook):  # type: ignore[misc]
    """Compare each head's ``num_classes`` with the data set's classes.

    Region proposal heads tell objects from background only, and are left out. Raises
    a ConfigError before the first iteration.
    """

    def before_train(self, runner: Any) -> None:
        """Check against the training set."""
        _require_classes(runner, runner.train_dataloader.dataset)

    def before_val_epoch(self, runner: Any) -> None:
        """Check against the validation set."""
        _require_classes(runner, runner.val_dataloader.dataset)

    def before_test_epoch(self, runner: Any) -> None:
        """Check against the test set."""
        _require_classes(runner, runner.test_dataloader.dataset)


@HOOKS.register_module()
class OneWriterLoggerHook(LoggerHook):  # type: ignore[misc]
    """Write a test's metrics from the first process only.

    mmengine's hook writes the same JSON file from every process, which can break it.
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

    So a resumed epoch draws what an uninterrupted run would have drawn, in loader
    workers too: PyTorch seeds these from its own generator.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Any) -> None:
        """Seed for the epoch that begins."""
        state = (runner.seed, runner.epoch, runner.rank)
        seed = int(np.random.SeedSequence(state).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)


@HOOKS.register_module()
class FiniteLossHook(Hook):  # type: ignore[misc]
    """Stop all processes with a NonFiniteError before a broken loss takes effect.

    mmdet's ``CheckInvalidLossHook`` looks at one iteration in fifty, after the step.
    Gradients that overflow under ``AmpOptimWrapper`` stop nothing: it skips their
    step. Weights are checked before each checkpoint, so that a broken one does not
    replace a good one.
    """

    def __init__(self) -> None:
        """Begin without a batch."""
        self._batch: Any = None

    def before_train(self, runner: Any) -> None:
        """Put the check where the model adds up its losses."""
        model = bare_model(runner)
        parse: Parse = model.parse_losses  # type: ignore[assignment]

        def parse_and_check(losses: Losses) -> tuple[torch.Tensor, Mapping[str, Any]]:
            total, terms = parse(losses)
            if _on_any(~torch.isfinite(total.detach()).all()):
                raise self._loss_error(runner, total, terms)
            return total, terms

        model.parse_losses = parse_and_check  # type: ignore[assignment]

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Remember the batch."""
        self._batch = data_batch

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Check the weights before a checkpoint saved by iteration."""
        saver = checkpoint_hook(runner)
        if saver and not saver.by_epoch:
            if self.every_n_train_iters(runner, saver.interval):
                _require_finite_weights(runner)

    def after_train_epoch(self, runner: Any) -> None:
        """Check the weights before a checkpoint saved by epoch."""
        _require_finite_weights(runner)

    def after_train(self, runner: Any) -> None:
        """Take the check out of the model."""
        del bare_model(runner).parse_losses

    def _loss_error(
        self, runner: Any, total: torch.Tensor, terms: Losses
    ) -> NonFiniteError:
        broken = not bool(torch.isfinite(total.detach()).all())
        own = _describe_batch(self._batch, terms) if broken else None
        batches = '\n'.join(text for text in all_gather_object(own) if text)
        if runner.rank != 0:
            return NonFiniteError('a loss is not finite; the first process says more')
        # Not the running means, which this very batch has changed.
        name = first_broken(dict(bare_model(runner).named_parameters()))
        since = f'; {name} has not been since an earlier step' if name else ''
        return NonFiniteError(
            f'{_place(runner)}: the loss is not finite{since}\n{batches}\n'
            f'{_what_to_try(runner)}'
        )


def keep_torch_seed(worker_id: int) -> None:
    """Leave a loader worker with the seed that PyTorch gave it."""


def head_class_counts(model: nn.Module) -> dict[str, int]:
    """Return ``num_classes`` of each head, by the module's dotted name.

    A generator has it itself, by the name ``''``.
    """
    counts = {}
    for name, module in model.named_modules():
        count = getattr(module, 'num_classes', None)
        path = name.split('.')
        if isinstance(count, int) and count > 0 and 'backbone' not in path:
            heads = not name or any('head' in part for part in path)
            if heads and 'rpn_head' not in path:
                counts[name] = count
    return counts


def first_broken(tensors: Mapping[str, torch.Tensor]) -> str | None:
    """Return the name of the first tensor that is not finite."""
    floats = {n: t for n, t in tensors.items() if t.is_floating_point()}
    if not floats:
        return None
    flags = torch.stack([torch.isfinite(t.detach()).all() for t in floats.values()])
    named = zip(floats, flags.tolist(), strict=True)
    return next((name for name, finite in named if not finite), None)


def _require_classes(runner: Any, dataset: Any) -> None:
    classes = dataset.metainfo.get('classes')
    if classes is None:
        return
    for name, count in head_class_counts(bare_model(runner)).items():
        if count != len(classes):
            place = f'model.{name}' if name else 'model'
            raise ConfigError(
                f'{place} has num_classes={count}, but the data set has '
                f'{len(classes)}: {", ".join(classes)}; in the config, write '
                'num_classes=_base_.num_classes, or set classes=[...] for both'
            )


def _require_finite_weights(runner: Any) -> None:
    name = first_broken(bare_model(runner).state_dict())
    if _on_any(torch.tensor(name is not None)):
        raise NonFiniteError(
            f'{_place(runner)}: the weights are no longer finite '
            f'({name or "on another process"}), so no checkpoint is written\n'
            f'{_what_to_try(runner)}'
        )


def _on_any(flag: torch.Tensor) -> bool:
    number = flag.to(torch.float32)
    all_reduce(number, 'max')
    return bool(number > 0)


def _place(runner: Any) -> str:
    return f'epoch {runner.epoch + 1}, iteration {runner.iter + 1}'


def _describe_batch(batch: Any, terms: Losses) -> str:
    values = {
        name: float(torch.as_tensor(each).detach()) for name, each in terms.items()
    }
    losses = ', '.join(f'{name} {value:.4g}' for name, value in values.items())
    lines = [f'  losses: {losses}']
    for sample in iter_samples(batch):
        note = ' (it has a box without area)' if _has_empty_box(sample) else ''
        lines.append(f'  image: {sample.img_path}{note}')
    return '\n'.join(lines)


def _has_empty_box(sample: Any) -> bool:
    boxes = getattr(getattr(sample, 'gt_instances', None), 'bboxes', None)
    corners = getattr(boxes, 'tensor', boxes)
    if not isinstance(corners, torch.Tensor) or corners.ndim != 2:
        return False
    return corners.shape[1] == 4 and bool((corners[:, 2:] <= corners[:, :2]).any())


def _what_to_try(runner: Any) -> str:
    rate = next(iter(runner.optim_wrapper.get_lr().values()))[0]
    tips = [
        'a lower one (optim_wrapper.optimizer.lr)',
        'a longer warm-up',
        'optim_wrapper.clip_grad.max_norm=10',
        'tools/check.py CONFIG, which finds boxes without area and broken images',
    ]
    if precision_of(runner.optim_wrapper) != 'float32':
        tips.append('precision=float32 (and no --amp)')
    saved = (runner.message_hub.runtime_info.get('last_ckpt'), runner.resumed_from)
    last = next((path for path in saved if path and os.path.exists(path)), None)
    kept = f'{last} is kept' if last else 'none was saved yet'
    return f'  learning rate: {rate:.4g}; try {", ".join(tips)}\n  checkpoint: {kept}'
