"""A class-conditional rectified flow: from noise to pictures along straight lines."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from mmengine.model import BaseModel
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from custom_datasets.errors import ConfigError

_NEAREST = 0.05
"""Losses and velocities divide by the time that is left, and by no less than this."""


@MODELS.register_module()
class RectifiedFlow(BaseModel):  # type: ignore[misc]
    """Learns the velocity from noise to pictures (Liu et al. 2023, arXiv 2209.03003).

    At time ``t`` a picture ``x`` is ``t * x + (1 - t) * noise``; the network is asked
    for ``x``, and the loss is that of the velocity ``x - noise``, which an answer
    implies. Times are drawn from a logit-normal distribution (Esser et al. 2024, arXiv
    2403.03206). Labels are left out now and then, for classifier-free guidance (Ho and
    Salimans 2022, arXiv 2207.12598).
    """

    def __init__(
        self,
        network: dict[str, Any],
        num_classes: int,
        size: int,
        drop_label: float = 0.1,
        time_mean: float = -0.4,
        time_std: float = 1.0,
        steps: int = 12,
        guidance: float = 1.5,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        """Build the network.

        Args:
            network: Config of a module that maps noisy pictures, times and labels to
                clean pictures; ``size`` and ``num_classes`` are given to it.
            num_classes: How many classes there are.
            size: Side of a picture, in pixels.
            drop_label: Share of pictures whose class the network is not told.
            time_mean: Of the distribution of times, before the logistic function.
            time_std: Likewise.
            steps: Of Heun's method, from noise to picture.
            guidance: How many times as far as without a class a class moves a picture;
                1 asks the network once a step, everything else twice.
            data_preprocessor: mmpretrain's, which must map pixels to -1 to 1.
            init_cfg: Weights to start from.
        """
        preprocessor = {'type': 'ClsDataPreprocessor', **(data_preprocessor or {})}
        super().__init__(preprocessor, init_cfg)
        self.network = MODELS.build(
            {**network, 'size': size, 'num_classes': num_classes}
        )
        self.num_classes = num_classes
        self.size = size
        self.drop_label = drop_label
        self.time_mean, self.time_std = time_mean, time_std
        self.steps, self.guidance = steps, guidance

    def forward(
        self,
        inputs: torch.Tensor,
        data_samples: Sequence[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Return losses, or pictures of the same classes, or what the network sees.

        Args:
            inputs: (N, 3, size, size) from -1 to 1, RGB.
            data_samples: With ``gt_label``.
            mode: ``loss`` or ``predict``; ``tensor`` takes the inputs for noise.

        Returns:
            The loss; or the samples with ``picture``, uint8 (3, size, size) RGB, and
            ``held_out_loss``, both of the same noise each time; or a tensor.
        """
        if inputs.shape[-2:] != (self.size, self.size):
            width, height = inputs.shape[-1], inputs.shape[-2]
            raise ConfigError(
                f'model.size={self.size}, but the pipeline makes pictures of '
                f'{width}x{height}: set image_scale={self.size}, or the size'
            )
        if mode == 'tensor':
            return self.network(inputs, *self._any_class(inputs))
        assert data_samples is not None
        labels = torch.cat([sample.gt_label for sample in data_samples])
        if mode == 'loss':
            return self.loss(inputs, labels)
        return self._predict(inputs, labels, data_samples)

    def loss(
        self, pictures: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return the loss of (N, 3, size, size) pictures at times of their own."""
        device = pictures.device
        noise = torch.randn_like(pictures)
        normal = torch.randn(len(pictures), device=device)
        times = torch.sigmoid(normal * self.time_std + self.time_mean)
        hidden = torch.rand(len(labels), device=device) < self.drop_label
        labels = torch.where(hidden, self.num_classes, labels)
        return {'loss': self._losses(pictures, labels, noise, times).mean()}

    @torch.no_grad()
    def sample(
        self, labels: torch.Tensor, seeds: Sequence[int]
    ) -> Iterator[torch.Tensor]:
        """Yield pictures after each of ``steps``; the last ones are done.

        Args:
            labels: (N,), class numbers.
            seeds: N of them; whatever stands beside it, a seed gives one picture.

        Yields:
            (N, 3, size, size), about -1 to 1, RGB.
        """
        state = _draw_noise(seeds, self.size).to(labels.device)
        times = torch.linspace(0, 1, self.steps + 1).tolist()
        for start, end in pairwise(times):
            slope = self._velocity(state, start, labels)
            moved = state + (end - start) * slope
            if end < 1:
                slope = (slope + self._velocity(moved, end, labels)) / 2
                moved = state + (end - start) * slope
            state = moved
            yield state

    def _velocity(
        self, state: torch.Tensor, time: float, labels: torch.Tensor
    ) -> torch.Tensor:
        times = state.new_full((len(state),), time)
        if self.guidance == 1:
            clean = self.network(state, times, labels)
        else:
            both = torch.cat([labels, torch.full_like(labels, self.num_classes)])
            answers = self.network(state.repeat(2, 1, 1, 1), times.repeat(2), both)
            told, untold = answers.chunk(2)
            clean = untold + self.guidance * (told - untold)
        slope: torch.Tensor = (clean - state) / max(1 - time, _NEAREST)
        return slope

    def _losses(
        self,
        pictures: torch.Tensor,
        labels: torch.Tensor,
        noise: torch.Tensor,
        times: torch.Tensor,
    ) -> torch.Tensor:
        """Return the mean squared error of the velocity, (N,)."""
        share = times.view(-1, 1, 1, 1)
        state = share * pictures + (1 - share) * noise
        errors: torch.Tensor = self.network(state, times, labels) - pictures
        left = (1 - times).clamp(min=_NEAREST)
        return errors.float().square().mean(dim=(1, 2, 3)) / left.square()

    def _predict(
        self,
        pictures: torch.Tensor,
        labels: torch.Tensor,
        data_samples: Sequence[DataSample],
    ) -> list[DataSample]:
        seeds = [int(sample.metainfo['sample_idx']) for sample in data_samples]
        noise = _draw_noise(seeds, self.size).to(pictures)
        # Times spread evenly over the pictures, the same ones each time.
        shares = torch.tensor([(seed * 0.618034) % 1 for seed in seeds])
        times = torch.special.ndtri(shares.clamp(1e-3, 1 - 1e-3)).to(pictures)
        times = torch.sigmoid(times * self.time_std + self.time_mean)
        losses = self._losses(pictures, labels, noise, times)
        *_, made = self.sample(labels, seeds)
        for sample, picture, loss in zip(
            data_samples, to_pixels(made), losses, strict=True
        ):
            sample.set_field(picture, 'picture')
            sample.set_field(loss, 'held_out_loss')
        return list(data_samples)

    def _any_class(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        zeros = inputs.new_zeros(len(inputs))
        return zeros, torch.full_like(zeros, self.num_classes, dtype=torch.long)


def to_pixels(pictures: torch.Tensor) -> torch.Tensor:
    """Return uint8 of the same shape for pictures of -1 to 1."""
    return ((pictures.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _draw_noise(seeds: Sequence[int], size: int) -> torch.Tensor:
    """Return (N, 3, size, size), that of each seed whatever stands beside it."""
    made = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        made.append(torch.randn(3, size, size, generator=generator))
    return torch.stack(made)
