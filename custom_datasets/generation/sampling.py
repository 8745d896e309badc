"""The one way in which anything here makes pictures with a trained generator.

generator = Generator.from_run('work_dirs/flow_unet_1xb16-100e_waste')
pictures = generator.generate(['glass', 'paper'], seeds=[1, 2])
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.registry import DATASETS

from custom_datasets.config import iter_datasets
from custom_datasets.data.names import nearest_class
from custom_datasets.errors import UserError
from custom_datasets.generation.flow import to_pixels
from custom_datasets.predicting.config import quiet
from custom_datasets.predicting.model import read_network
from custom_datasets.predicting.run_folder import find_checkpoint, find_config

MAX_SEED = 2**32 - 1

_BATCH = 16
"""Pictures that are made side by side: more are no faster on a CPU."""

Progress = Callable[[int, int], None]


class RealPictures(NamedTuple):
    """Pictures of a data set as a generator's pipeline makes them.

    ``pixels`` are uint8 (N, 3, size, size) RGB, ``labels`` (N,) numbers of classes.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    paths: tuple[str, ...]


class Generator:
    """A trained generator; threads take turns on it.

    Attributes:
        checkpoint: Its path.
        kind: ``best`` or ``last`` of a run, or ``given``.
        classes: The names of the classes, in the order of the labels.
        size: Side of a picture, in pixels.
        steps: How often the network improves pictures.
    """

    def __init__(
        self,
        config: str | os.PathLike[str],
        checkpoint: str | os.PathLike[str],
        *,
        device: str | None = None,
        options: Mapping[str, Any] | None = None,
        trust: bool = False,
    ) -> None:
        """Load a config and a checkpoint.

        Args:
            config: The leaf that it was trained with, or what training left of it.
            checkpoint: What training left.
            device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; None is the first GPU, if
                there is one.
            options: What ``--cfg-options`` sets, such as ``model.guidance``.
            trust: Whether to run whatever code the checkpoint brings.

        Raises:
            UserError: Something is missing, damaged, no generator, or does not fit
                together.
        """
        self.checkpoint = os.fspath(checkpoint)
        self.kind = 'given'
        self._network = read_network(
            os.fspath(config),
            self.checkpoint,
            options,
            device=device,
            trust=trust,
            generates=True,
        )
        model: Any = self._network.model
        self._model = model
        self._lock = threading.Lock()
        self.classes = self._network.classes
        self.size = int(self._model.size)
        self.steps = int(self._model.steps)

    @classmethod
    def from_run(
        cls,
        folder: str | os.PathLike[str],
        checkpoint: str | os.PathLike[str] | None = None,
        *,
        device: str | None = None,
        options: Mapping[str, Any] | None = None,
        trust: bool = False,
    ) -> 'Generator':
        """Load a run's best checkpoint, else its last, or the one that is named.

        See :meth:`__init__` for the rest.
        """
        path = os.fspath(folder)
        config = find_config(path)
        chosen, kind = (checkpoint, 'given') if checkpoint else find_checkpoint(path)
        generator = cls(config, chosen, device=device, options=options, trust=trust)
        generator.kind = kind
        return generator

    def label(self, name: str) -> int:
        """Return the number of a class; raises a UserError that names the nearest."""
        if name in self.classes:
            return self.classes.index(name)
        nearest = nearest_class(name, self.classes)
        hint = f'did you mean {nearest}? ' if nearest else ''
        raise UserError(
            f'class {name!r}: this generator has none of that name; {hint}It has '
            f'{", ".join(self.classes)}'
        )

    def generate(
        self,
        names: Sequence[str],
        seeds: Sequence[int],
        progress: Progress | None = None,
    ) -> torch.Tensor:
        """Make a picture of each class with the seed beside it.

        Args:
            names: Of classes.
            seeds: As many, from 0 to :data:`MAX_SEED`. A class and a seed give the same
                picture again, on the same kind of machine to the last digit.
            progress: Called with the steps that are done, and with all.

        Returns:
            uint8 (N, 3, size, size), RGB.

        Raises:
            UserError: There is no such class, or a seed is out of range.
        """
        for seed in seeds:
            if not 0 <= seed <= MAX_SEED:
                raise UserError(f'seed {seed}: must be from 0 to {MAX_SEED}')
        labels = torch.tensor([self.label(name) for name in names])
        batches = range(0, len(labels), _BATCH)
        done, total = 0, len(batches) * self.steps
        made = []
        with self._lock, self._network.scope():
            for start in batches:
                part = labels[start : start + _BATCH].to(self._network.device)
                states = self._model.sample(part, seeds[start : start + _BATCH])
                for state in states:
                    done += 1
                    if progress:
                        progress(done, total)
                    last = state
                made.append(to_pixels(last).cpu())
        return torch.cat(made)

    def pictures(self, split: str) -> RealPictures:
        """Return the real pictures of ``train``, ``val`` or ``test``.

        None is mirrored, and none is shown more often than another, as training may.
        """
        cfg = self._network.cfg
        (test, *_) = iter_datasets(cfg, ['test_dataloader'])
        samples = []
        with quiet(), self._network.scope():
            for settings in iter_datasets(cfg, [f'{split}_dataloader']):
                dataset = DATASETS.build({**settings, 'pipeline': test['pipeline']})
                samples += [dataset[index] for index in range(len(dataset))]
        return RealPictures(
            torch.stack([sample['inputs'].flip(0) for sample in samples]),
            torch.cat([sample['data_samples'].gt_label for sample in samples]),
            tuple(str(sample['data_samples'].img_path) for sample in samples),
        )
