"""A trained detector, to be used on images outside any data set."""

import os
from collections.abc import Mapping
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from torch import nn

from custom_datasets.checking.checkpoint import checkpoint_classes
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.overrides import apply_overrides
from custom_datasets.reporting.quiet import quiet
from custom_datasets.run_report.settings import is_detection, read_settings
from custom_datasets.weights import require_weights


def load_detector(
    config: str,
    checkpoint: str,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[nn.Module, tuple[str, ...]]:
    """Build a detector for the classes it was trained on, with its weights.

    Args:
        config: The leaf that it was trained with.
        checkpoint: What training left.
        device: ``cpu``, ``cuda:1`` or alike; without it a GPU, if there is one.
        options: What ``--cfg-options`` sets, by dotted name.

    Returns:
        The model in ``eval`` mode, its config as ``cfg``, ready for
        ``mmdet.apis.inference_detector``; and its classes.

    Raises:
        UserError: One of the two is missing, broken, no detector's or not for
            the other.
    """
    if not os.path.isfile(checkpoint):
        raise UserError(f'{checkpoint}: no such checkpoint')
    classes = checkpoint_classes(checkpoint)
    if not classes:
        raise UserError(f'{checkpoint}: not a whole checkpoint that names its classes')
    cfg = read_settings(config, {**(options or {}), 'classes': classes})
    if not is_detection(cfg):
        raise ConfigError(f'{config}: a classifier, and a detector is needed')
    with quiet(), DefaultScope.overwrite_default_scope(cfg.default_scope):
        apply_overrides(cfg)
        model = MODELS.build(cfg.model)
        loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    weights = loaded.get('state_dict', loaded)
    require_weights(checkpoint, weights, model.state_dict())
    model.load_state_dict(weights, strict=False)
    model.cfg = cfg
    found: nn.Module = model.to(device or _best_device()).eval()
    return found, classes


def _best_device() -> str:
    return 'cuda' if torch.cuda.is_available() else 'cpu'
