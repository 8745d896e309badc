"""A trained network: that of a config, with the weights of a checkpoint.

Everything that predicts comes through here, so that weights of another model or of
other classes are refused rather than completed at random, as mmengine does.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from torch import nn

from custom_datasets.checkpoints import (
    CheckpointFacts,
    facts_of,
    load_checkpoint,
    require_classes,
    require_weights,
    weights_of,
)
from custom_datasets.config import iter_datasets
from custom_datasets.errors import UserError
from custom_datasets.predicting.config import quiet
from custom_datasets.settings import apply_settings


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

    def forward(self, batch: Mapping[str, Any]) -> list[Any]:
        """Predict on a batch as the stock test loop does; threads take turns.

        ``batch`` has ``inputs`` and ``data_samples``, collated from the test
        pipeline; the samples come back with the predictions.
        """
        with self._lock, self.scope(), torch.no_grad():
            answers: list[Any] = self.model.test_step(batch)  # type: ignore[operator]
        return answers

    def scope(self) -> Any:
        """Return a context in which names are looked up in the task's registries."""
        return DefaultScope.overwrite_default_scope(self.cfg.default_scope)


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
        UserError: The checkpoint is missing, damaged, or of another model or other
            classes; or there is no such device.
    """
    require_checkpoint(path)
    where = choose_device(device)
    ready = Config(cfg.to_dict(), filename=cfg.filename)
    with quiet(), DefaultScope.overwrite_default_scope(cfg.default_scope):
        apply_settings(ready)
        if ready.get('data_preprocessor'):
            ready.model.setdefault('data_preprocessor', ready.data_preprocessor)
        model: nn.Module = MODELS.build(ready.model)
        checkpoint = load_checkpoint(path, trust=trust)
        meta = _metainfo(ready)
    facts = facts_of(checkpoint)
    expected = classes or meta.get('classes') or facts.classes or ()
    require_classes(path, facts.classes, expected)
    require_weights(path, weights_of(checkpoint), model.state_dict())
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
