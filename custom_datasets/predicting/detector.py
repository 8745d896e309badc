"""A trained detector on images outside any data set, and tags of what it finds."""

import copy
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mmcv.transforms import Compose
from mmdet.apis import inference_detector
from mmdet.utils import get_test_pipeline_cfg
from mmengine.registry import DefaultScope
from numpy.typing import NDArray
from torch import nn

from custom_datasets.checkpoints import checkpoint_classes
from custom_datasets.data.decode import decode
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.predicting.config import is_detection, read_settings
from custom_datasets.predicting.model import load_model, require_checkpoint

Picture = str | os.PathLike[str] | NDArray[np.uint8]
"""A path, or ``(height, width, 3)`` in BGR as OpenCV reads it."""

THRESHOLD = 0.3
"""Score from which on a box counts."""


class Tag(NamedTuple):
    """A class that was found: its best score, and boxes with the best first.

    Boxes have shape (n, 4), zero-based ``xyxy`` in pixels.
    """

    score: float
    boxes: NDArray[np.float64]


def load_detector(
    config: str,
    checkpoint: str,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[nn.Module, tuple[str, ...]]:
    """Return a detector in ``eval`` mode, its config as ``cfg``, and its classes.

    Raises:
        UserError: The config or checkpoint is missing, broken, not a detector's or
            not for the other.
    """
    require_checkpoint(checkpoint)
    classes = checkpoint_classes(checkpoint)
    if not classes:
        raise UserError(
            f'{checkpoint}: not a complete checkpoint that names its classes'
        )
    cfg = read_settings(config, {**(options or {}), 'classes': classes})
    if not is_detection(cfg):
        raise ConfigError(f'{config}: is a classifier, but a detector is needed')
    return load_model(cfg, checkpoint, classes, device), classes


def detect(
    model: nn.Module, image: Picture
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the boxes on an image, their scores and class numbers.

    Boxes have shape (n, 4), zero-based ``xyxy`` in pixels of the image.

    Raises:
        UserError: There is no such image, it cannot be decoded completely, or the
            pixels have another shape.
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
    instances = result.pred_instances.cpu().numpy()
    return (
        instances.bboxes.astype(float),
        instances.scores.astype(float),
        instances.labels,
    )


class Tagger:
    """Names the classes that a detector finds on an image, at a threshold."""

    def __init__(
        self, model: nn.Module, classes: Sequence[str], threshold: float = THRESHOLD
    ) -> None:
        """Keep the model."""
        self.model, self.classes, self.threshold = model, tuple(classes), threshold

    def tags(self, image: Picture) -> dict[str, Tag]:
        """Return the classes on an image, those with the best scores first.

        Raises:
            UserError: See :func:`detect`.
        """
        boxes, scores, labels = detect(self.model, image)
        names = [self.classes[label] for label in labels]
        return collect_tags(boxes, scores, names, self.threshold)

    def names(self, image: Picture) -> list[str]:
        """List the classes on an image; see :meth:`tags`."""
        return list(self.tags(image))


def collect_tags(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    names: Sequence[str],
    threshold: float,
) -> dict[str, Tag]:
    """Group boxes of at least the threshold by class, the best scores first."""
    order = np.argsort(-scores, kind='stable')
    rows: dict[str, list[int]] = {}
    for row in order[scores[order] >= threshold]:
        rows.setdefault(names[row], []).append(int(row))
    return {n: Tag(float(scores[r[0]]), boxes[r]) for n, r in rows.items()}


def tag_images(
    images: Sequence[str],
    config: str,
    checkpoint: str,
    threshold: float = THRESHOLD,
    options: Mapping[str, Any] | None = None,
) -> tuple[str, list[str]]:
    """Return a JSON of each image's tags, and a sentence per unreadable image."""
    tagger = Tagger(*load_detector(config, checkpoint, options=options), threshold)
    tagged, problems = {}, []
    for image in images:
        try:
            tags = tagger.tags(image)
        except UserError as error:
            problems.append(str(error))
            continue
        tagged[image] = {
            name: {'score': round(tag.score, 4), 'boxes': tag.boxes.round(1).tolist()}
            for name, tag in tags.items()
        }
    return json.dumps(tagged, indent=1), problems


def _read(path: str) -> NDArray[np.uint8]:
    try:
        with open(path, 'rb') as file:
            decoded, pixels = decode(file.read())
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    if pixels is None or decoded.decodes != 'whole':
        raise UserError(f'{path}: {decoded.problem or "is too large"}')
    return pixels
