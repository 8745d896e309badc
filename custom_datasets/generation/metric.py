"""What validation and test say of a generator."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpretrain.registry import METRICS

from custom_datasets.errors import UserError
from custom_datasets.evaluation.distributions import kernel_distance
from custom_datasets.generation.features import FeatureNetwork


@METRICS.register_module()
class GenerationMetric(BaseMetric):  # type: ignore[misc]
    """How far made pictures are from real ones of the same classes, as one set.

    ``KID`` is the kernel distance on features of an ImageNet network; where its weights
    are not at hand it is left out, and that is logged. ``held_out_loss`` is what the
    model says of real pictures that it was not trained on, where it can say that.
    """

    default_prefix = 'generation'

    def process(
        self, data_batch: Mapping[str, Any], data_samples: Sequence[Mapping[str, Any]]
    ) -> None:
        """Keep pictures, made and real, as uint8 (3, size, size), RGB."""
        for real, sample in zip(data_batch['inputs'], data_samples, strict=True):
            result = {'made': sample['picture'].cpu(), 'real': real.flip(0).cpu()}
            if 'held_out_loss' in sample:
                result['loss'] = float(sample['held_out_loss'])
            self.results.append(result)

    def compute_metrics(self, results: Sequence[dict[str, Any]]) -> dict[str, float]:
        """Return ``KID`` and ``held_out_loss``, where there are any."""
        metrics = {}
        try:
            metrics['KID'] = _kernel_distance(results)
        except UserError as error:
            print_log(f'no KID: {error}', logger='current', level=logging.WARNING)
        losses = [result['loss'] for result in results if 'loss' in result]
        if losses:
            metrics['held_out_loss'] = sum(losses) / len(losses)
        return metrics


def _kernel_distance(results: Sequence[dict[str, Any]]) -> float:
    """Return KID; a UserError where there are no weights, or too few pictures."""
    network = FeatureNetwork.load()
    if len(results) < 3:
        raise UserError('it takes three pictures on each side, at least')
    real, made = (
        network.features(torch.stack([result[which] for result in results]))
        for which in ('real', 'made')
    )
    return kernel_distance(real, made).value
