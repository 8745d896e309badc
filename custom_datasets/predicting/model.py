"""A trained network: that of a config, with the weights of a checkpoint.

Everything that predicts comes through here, so that weights of another model or of
other classes are refused rather than completed at random, as mmengine does.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DATASETS, MODELS
from torch import nn

from custom_datasets.checkpoints import (
    CheckpointFacts,
    checkpoint_classes,
    facts_of,
    load_checkpoint,
    require_classes,
    require_finite,
    require_weights,
    weights_of,
)
from custom_datasets.config import iter_datasets
from custom_datasets.errors import ConfigError, ImageError, UserError
from custom_datasets.predicting.config import (
    is_detection,
    is_generation,
    quiet,
    read_settings,
)
from custom_datasets.predicting.images import Pixels
from custom_datasets.predicting.outputs import BoxArrays, RawAnswer
from custom_datasets.predicting.scopes import use_scope
from custom_datasets.settings import apply_settings
from custom_datasets.text import counted

_LOADING = threading.Lock()


@dataclass(frozen=True)
class Network:
    """A network in ``eval`` mode.

    Attributes:
        cfg: Its own copy of the config, with all settings applied.
        model: mmdet's or mmpretrain's, on its device.
        classes: The names of the classes, in the order of the labels.
        palette: The colours of the classes, as ``METAINFO`` has them, or None.
        facts: What the checkpoint says about itself.
        device: Where the network is.
    """

    cfg: Config
    model: nn.Module
    classes: tuple[str, ...]
    palette: Any
    facts: CheckpointFacts
    device: torch.device
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def task(self) -> str:
        """``detection``, ``classification`` or ``generation``."""
        if is_generation(self.cfg):
            return 'generation'
        return 'detection' if is_detection(self.cfg) else 'classification'

    @property
    def batch_size(self) -> int:
        """How many images the config tests with at once."""
        return int(self.cfg.test_dataloader.get('batch_size') or 1)

    @cached_property
    def pipeline(self) -> 'Pipeline':
        """The config's test pipeline, for pixels."""
        return Pipeline(self)

    def forward(self, batch: Mapping[str, Any] | Sequence[Any]) -> list[Any]:
        """Predict on a batch as the stock test loop does; threads take turns.

        Args:
            batch: ``inputs`` and ``data_samples`` as a loader collates them, or a list
                of what the pipeline returned.

        Returns:
            The data samples, with the predictions.

        Raises:
            UserError: The GPU has too little memory.
        """
        data = batch if isinstance(batch, Mapping) else pseudo_collate(batch)
        try:
            with self._lock, self.scope(), torch.no_grad():
                answers: list[Any] = self.model.test_step(data)  # type: ignore[operator]
        except torch.cuda.OutOfMemoryError as error:
            images = counted(len(data['data_samples']), 'images')
            raise UserError(
                f'{self.device}: has too little memory for {images} at once; use a '
                'smaller batch, or the CPU'
            ) from error
        return answers

    def answers(self, batch: Sequence[Any]) -> list[RawAnswer]:
        """Predict on what the pipeline returned; see :meth:`forward`."""
        samples = self.forward(batch)
        if self.task == 'classification':
            return [row.pred_score.cpu().numpy().astype(np.float64) for row in samples]
        answers: list[RawAnswer] = []
        for sample in samples:
            instances = sample.pred_instances.cpu()
            answers.append(
                BoxArrays(
                    instances.bboxes.numpy().astype(np.float64).reshape(-1, 4),
                    instances.scores.numpy().astype(np.float64),
                    instances.labels.numpy().astype(np.intp),
                )
            )
        return answers

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides about answers, beside the weights."""
        content: dict[str, Any] = self.cfg.to_dict()
        return content

    def scope(self) -> Any:
        """Return a context in which names are looked up in the task's registries."""
        return use_scope(self.cfg.default_scope)


class Pipeline:
    """The test pipeline of a config, on pixels instead of on a file."""

    def __init__(self, network: Network) -> None:
        """Build all steps but the first; raises a ConfigError for another first."""
        dataset = next(iter_datasets(network.cfg, ['test_dataloader']))
        steps = dataset.get('pipeline') or [{}]
        first = dict(steps[0])
        kind = str(first.get('type')).split('.')[-1]
        colour = first.get('color_type', 'color')
        if kind != 'LoadImageFromFile' or colour != 'color':
            raise ConfigError(
                f'{network.cfg.filename}: its test pipeline starts with {first}; only '
                'LoadImageFromFile in color can be replaced by an image of your own'
            )
        self.as_float = bool(first.get('to_float32'))
        try:
            with network.scope():
                self.steps = Compose([dict(step) for step in steps[1:]])
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f'{network.cfg.filename}: its test pipeline cannot be built ({error})'
            ) from error

    def __call__(self, pixels: Pixels, name: str) -> dict[str, Any]:
        """Return inputs and data sample of an image.

        Raises:
            ImageError: A step cannot take the image.
        """
        results: dict[str, Any] = {
            'img': pixels.astype(np.float32) if self.as_float else pixels,
            'img_shape': pixels.shape[:2],
            'ori_shape': pixels.shape[:2],
            'img_path': name,
            'img_id': 0,
            'sample_idx': 0,
            'instances': [],
        }
        try:
            packed: dict[str, Any] = self.steps(results)
        except Exception as error:  # Whatever a step raises on an odd shape.
            height, width = pixels.shape[:2]
            raise ImageError(
                name,
                f'has {width} x {height} pixels, which the test pipeline cannot take '
                f'({type(error).__name__}: {error})',
            ) from error
        return packed


def read_network(
    config: str,
    checkpoint: str,
    options: Mapping[str, Any] | None = None,
    *,
    device: str | None = None,
    trust: bool = False,
    generates: bool = False,
) -> Network:
    """Read a config, with the checkpoint's classes where it has others, and load both.

    ``generates`` tells whether it has to be a generator's. See :func:`load_network` for
    the rest.
    """
    require_checkpoint(checkpoint)
    # Neither reading configs nor registering classes is for several threads.
    with _LOADING:
        cfg = read_settings(config, options, generates)
        classes = checkpoint_classes(checkpoint)
        if classes and cfg.get('num_classes') not in (None, len(classes)):
            options = {**(options or {}), 'classes': classes}
            cfg = read_settings(config, options, generates)
        network = load_network(cfg, checkpoint, device=device, trust=trust)
        _ = network.pipeline  # What it refuses is refused here.
    return network


def require_checkpoint(path: str) -> None:
    """Raise a UserError where a path is neither a file nor an address."""
    if '://' not in path and not os.path.isfile(path):
        raise UserError(f'{path}: no such checkpoint')


def load_network(
    cfg: Config,
    path: str,
    classes: Sequence[str] | None = None,
    device: str | None = None,
    trust: bool = False,
) -> Network:
    """Build a config's network and load its weights.

    Args:
        cfg: Its modules must have been imported. It stays as it is.
        path: The checkpoint.
        classes: Those of the data; None takes what the checkpoint names.
        device: As in :func:`choose_device`.
        trust: Whether to run whatever code the checkpoint brings.

    Raises:
        UserError: The checkpoint is missing, damaged, diverged, or of another model or
            other classes; or there is no such device.
    """
    require_checkpoint(path)
    where = choose_device(device)
    ready = Config(cfg.to_dict(), filename=cfg.filename)
    with quiet(), use_scope(cfg.default_scope):
        apply_settings(ready)
        if ready.get('data_preprocessor'):
            ready.model.setdefault('data_preprocessor', ready.data_preprocessor)
        try:
            model: nn.Module = MODELS.build(ready.model)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(
                f'{cfg.filename}: its model cannot be built ({error})'
            ) from error
        checkpoint = load_checkpoint(path, trust=trust)
        meta = _metainfo(ready)
    facts = facts_of(checkpoint)
    expected = classes or meta.get('classes') or facts.classes or ()
    require_classes(path, facts.classes, expected)
    require_weights(path, weights_of(checkpoint), model.state_dict())
    require_finite(path, weights_of(checkpoint))
    model.load_state_dict(weights_of(checkpoint), strict=False)
    model.to(where)
    if where.type == 'cpu':
        # As the runner has them, so that both predict the same to the last digit.
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.cfg = ready
    palette = facts.palette or meta.get('palette')
    if not isinstance(palette, (list, tuple)):
        palette = None  # METAINFO may also say 'random'.
    names = tuple(classes or facts.classes or expected)
    return Network(ready, model.eval(), names, palette, facts, where)


def choose_device(name: str | None) -> torch.device:
    """Return the device of a name: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    None is the first GPU, else Apple's, else the CPU.

    Raises:
        UserError: There is no such device here.
    """
    mps = torch.backends.mps.is_available()
    if name is None:
        name = 'cuda' if torch.cuda.is_available() else 'mps' if mps else 'cpu'
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f'device {name!r}: must be cpu, cuda, cuda:N or mps') from error
    count = {'cpu': 1, 'cuda': torch.cuda.device_count(), 'mps': int(mps)}
    if device.type not in count:
        raise UserError(f'device {name!r}: must be cpu, cuda, cuda:N or mps')
    if (device.index or 0) >= count[device.type]:
        has = f'{count[device.type]} of that kind' * bool(count[device.type])
        raise UserError(f'device {name!r}: this machine has {has or "none"}')
    return device


def _metainfo(cfg: Config) -> dict[str, Any]:
    """Return what the config says of its classes, without reading any data."""
    dataset = next(iter_datasets(cfg, ['test_dataloader']), {})
    with DATASETS.switch_scope_and_registry(None) as registry:
        registered = registry.get(str(dataset.get('type')))
    return {
        **getattr(registered, 'METAINFO', {}),
        **(dataset.get('metainfo') or {}),
    }
