"""A trained detector, to be used on images outside any data set."""

import copy
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.apis import inference_detector
from mmdet.registry import MODELS
from mmdet.utils import get_test_pipeline_cfg
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from numpy.typing import NDArray
from torch import nn

from custom_datasets.checking.checkpoint import checkpoint_classes
from custom_datasets.checking.decoding import decode
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.overrides import apply_overrides
from custom_datasets.reporting.quiet import quiet
from custom_datasets.run_report.settings import is_detection, read_settings
from custom_datasets.weights import require_weights, weights_of

Picture = str | os.PathLike[str] | NDArray[np.uint8]
"""A path, or ``(height, width, 3)`` in BGR as OpenCV reads it."""


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
        The model in ``eval`` mode, its config as ``cfg``, and its classes.

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
    weights = weights_of(loaded)
    require_weights(checkpoint, weights, model.state_dict())
    model.load_state_dict(weights, strict=False)
    model.cfg = cfg
    found: nn.Module = model.to(device or _best_device()).eval()
    return found, classes


def detect(
    model: nn.Module, image: Picture
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Find what is on an image.

    Args:
        model: As of :func:`load_detector`.
        image: A path or pixels.

    Returns:
        Boxes, shape (n, 4), zero-based ``xyxy`` in pixels of the image; their scores
        and class numbers, both of shape (n,).

    Raises:
        UserError: There is no such image, it does not decode wholly, or the pixels
            have another shape.
    """
    pixels = image if isinstance(image, np.ndarray) else _read(os.fspath(image))
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise UserError(f'pixels of shape {pixels.shape}: needs (height, width, 3)')
    cfg: Any = model.cfg
    # A copy: the model's own config still reads files.
    steps = copy.deepcopy(get_test_pipeline_cfg(cfg))
    steps[0] = {'type': 'mmdet.LoadImageFromNDArray'}
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        result = inference_detector(model, pixels, Compose(steps))
    found = result.pred_instances.cpu().numpy()
    return found.bboxes.astype(float), found.scores.astype(float), found.labels


def _read(path: str) -> NDArray[np.uint8]:
    try:
        with open(path, 'rb') as file:
            decoded, pixels = decode(file.read())
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    if pixels is None or decoded.decodes != 'whole':
        raise UserError(f'{path}: {decoded.problem or "is too large"}')
    return pixels


def _best_device() -> str:
    return 'cuda' if torch.cuda.is_available() else 'cpu'
