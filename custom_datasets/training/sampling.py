"""Sampling and loss weights for classes that are not equally frequent."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dataset import ClassBalancedDataset, DefaultSampler
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import DATA_SAMPLERS, DATASETS, HOOKS
from torch import Tensor

from custom_datasets.data.frequencies import balance_sampling
from custom_datasets.errors import ConfigError
from custom_datasets.training.facts import bare_model


@DATA_SAMPLERS.register_module()
class ClassBalancedSampler(DefaultSampler):  # type: ignore[misc]
    """Draw each class equally often, in an epoch of the usual length.

    A class's images are reshuffled each time they are used up, so a rare class repeats
    images and a common one leaves some out (Shen et al., "Relay Backpropagation",
    ECCV 2016). ``get_cat_ids`` of the data set has to name one class per image.
    """

    def __init__(self, dataset: Any, seed: int | None = None) -> None:
        """Collect the images of each class."""
        super().__init__(dataset, shuffle=True, seed=seed)
        labels = image_labels(dataset)
        self.members = [np.flatnonzero(labels == name) for name in np.unique(labels)]

    def __iter__(self) -> Iterator[int]:
        """Yield indices of images."""
        generator = torch.Generator()
        generator.manual_seed(self.seed + self.epoch)
        each = math.ceil(self.total_size / len(self.members))
        drawn = [
            torch.from_numpy(images)[_cycles(len(images), each, generator)]
            for images in self.members
        ]
        # Class by class, so that dropping the surplus takes at most one per class.
        order = torch.stack(drawn, dim=1).flatten()[: self.total_size]
        order = order[torch.randperm(len(order), generator=generator)]
        yield from order[self.rank :: self.world_size].tolist()


@DATASETS.register_module()
class RepeatFactorDataset(ClassBalancedDataset):  # type: ignore[misc]
    """Show images of rare classes several times.

    The repeat factor of an image is that of Gupta et al., "LVIS", CVPR 2019.
    ``oversample_thr`` is the share of images below which a class is rare; by default
    the one that balances the classes best, as ``tools/check.py`` suggests.
    """

    def __init__(self, dataset: Any, oversample_thr: float | None = None) -> None:
        """Find the threshold and repeat."""
        inner = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if oversample_thr is None:
            names = [
                tuple(map(str, set(inner.get_cat_ids(index))))
                for index in range(len(inner))
            ]
            oversample_thr = balance_sampling(names).threshold
        super().__init__(inner, oversample_thr)
        print_log(
            f'repeat-factor sampling: oversample_thr={oversample_thr:g}, '
            f'{len(inner)} images count as {len(self)}',
            logger='current',
        )


@HOOKS.register_module()
class ClassWeightHook(Hook):  # type: ignore[misc]
    """Weight a classifier's loss by how rare each class is in training.

    A class's weight is ``images / (classes * images of it)``, which keeps the mean
    over a batch (G. King and L. Zeng, "Logistic Regression in Rare Events Data",
    Political Analysis 9, 2001; scikit-learn's ``balanced``).
    """

    def before_train(self, runner: Any) -> None:
        """Count the training set and set the weights."""
        model: Any = bare_model(runner)
        dataset = runner.train_dataloader.dataset
        classes = dataset.metainfo['classes']
        counts = np.bincount(image_labels(dataset), minlength=len(classes))
        if not counts.all():
            absent = ', '.join(
                name for name, count in zip(classes, counts, strict=True) if not count
            )
            raise ConfigError(
                f'loss=class-weighted: no image of {absent} to weight; remove the '
                'class, or use another loss'
            )
        weights = counts.sum() / (len(counts) * counts)
        model.head.loss_module.class_weight = weights.tolist()
        table = ', '.join(
            f'{name} {weight:.2f}'
            for name, weight in zip(classes, weights, strict=True)
        )
        runner.logger.info(f'class weights of the loss: {table}')


def image_labels(dataset: Any) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Return the class of each image, shape (images,)."""
    return np.array([dataset.get_cat_ids(i)[0] for i in range(len(dataset))], np.intp)


def _cycles(count: int, drawn: int, generator: torch.Generator) -> Tensor:
    """Return ``drawn`` of ``count`` indices: all in a new order, and again."""
    rounds = [
        torch.randperm(count, generator=generator) for _ in range(-(-drawn // count))
    ]
    return torch.cat(rounds)[:drawn]
