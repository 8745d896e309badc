"""Resampling images with replacement: how far a metric is known.

Percentile bootstrap after B. Efron, "Bootstrap Methods: Another Look at the
Jackknife", Annals of Statistics 7 (1979). Whole images are drawn, since the
objects of one image are not independent of each other. A resample is a weight
per image, how often it was drawn, so that a metric which can weight images is
matched and sorted only once.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypedDict

import numpy as np

from custom_datasets.evaluation.results import Floats, Integers

RESAMPLES = 1000
LEVEL = 0.95


class Interval(TypedDict):
    """An :class:`Estimate` in JSON, rounded to six digits; None for NaN."""

    value: float | None
    low: float | None
    high: float | None


class Resampling(TypedDict):
    """How a report's intervals came about; ``level`` is the share of resamples."""

    level: float
    resamples: int
    seed: int


class Estimate(NamedTuple):
    """A metric and its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def as_json(self) -> Interval:
        """Return it for a JSON file, which knows no NaN."""
        value, low, high = (
            None if np.isnan(part) else round(float(part), 6) for part in self
        )
        return {'value': value, 'low': low, 'high': high}

    @classmethod
    def from_json(cls, interval: Interval) -> 'Estimate':
        """Read what :meth:`as_json` returned."""
        parts = interval['value'], interval['low'], interval['high']
        return cls(*(np.nan if part is None else part for part in parts))


def resample(images: int, count: int = RESAMPLES, seed: int = 0) -> Iterator[Integers]:
    """Yield how often each image is drawn, shape (images,), the same for one seed."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        drawn = rng.integers(images, size=images)
        yield np.bincount(drawn, minlength=images).astype(np.intp)


def estimate(value: float, resampled: Floats) -> Estimate:
    """Put the interval of ``resampled`` metrics around a value, NaN left out."""
    defined = resampled[~np.isnan(resampled)]
    if np.isnan(value) or not len(defined):
        return Estimate(value, np.nan, np.nan)
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Estimate(float(value), float(low), float(high))


def bootstrap(
    metric: Callable[[Floats], Floats],
    images: int,
    count: int = RESAMPLES,
    seed: int = 0,
) -> list[Estimate]:
    """Estimate metrics, a function of weights of shape (images,), with intervals."""
    values = metric(np.ones(images))
    rows = [metric(weights.astype(float)) for weights in resample(images, count, seed)]
    table = np.array(rows).reshape(count, -1)
    return [
        estimate(value, column) for value, column in zip(values, table.T, strict=True)
    ]
