"""A trained model: the network of a config with the weights of a checkpoint.

Everything that predicts comes through here, so that weights of another model or of
other classes are refused rather than completed at random, as mmengine does.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import CheckpointLoader
from torch import nn

from custom_datasets.checkpoints import (
    classes_of,
    require_classes,
    require_weights,
    weights_of,
)
from custom_datasets.errors import UserError
from custom_datasets.predicting.config import quiet
from custom_datasets.settings import apply_settings


class CheckpointFacts(NamedTuple):
    """What a checkpoint says about itself; None where it says nothing."""

    epoch: int | None
    iteration: int | None
    classes: tuple[str, ...] | None


def require_checkpoint(path: str) -> None:
    """Raise a UserError where a path is neither a file nor an address."""
    if '://' not in path and not os.path.isfile(path):
        raise UserError(f'{path}: no such checkpoint')


def require_fit(
    path: str, checkpoint: Mapping[str, Any], model: nn.Module, classes: Sequence[str]
) -> CheckpointFacts:
    """Raise a UserError for weights of another model or other classes."""
    trained = classes_of(checkpoint)
    require_classes(path, trained, classes)
    require_weights(path, weights_of(checkpoint), model.state_dict())
    meta = checkpoint.get('meta') or {}
    return CheckpointFacts(meta.get('epoch'), meta.get('iter'), trained)


def load_model(
    cfg: Config, path: str, classes: Sequence[str], device: str | None = None
) -> nn.Module:
    """Return a model in ``eval`` mode with its weights, for images outside data sets.

    The settings are applied to a copy of ``cfg``, which becomes the model's own.
    """
    require_checkpoint(path)
    ready = Config(cfg.to_dict(), filename=cfg.filename)
    with quiet(), DefaultScope.overwrite_default_scope(cfg.default_scope):
        apply_settings(ready)
        if ready.get('data_preprocessor'):
            ready.model.setdefault('data_preprocessor', ready.data_preprocessor)
        model: nn.Module = MODELS.build(ready.model)
        checkpoint = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    require_fit(path, checkpoint, model, classes)
    model.load_state_dict(weights_of(checkpoint), strict=False)
    model.cfg = ready
    return model.to(device or _best_device()).eval()


def _best_device() -> str:
    return 'cuda' if torch.cuda.is_available() else 'cpu'
