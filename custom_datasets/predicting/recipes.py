"""How an ensemble is made, and a search for the best way on a validation set."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""What a model's weight is tried at, beside the others' weights as they are."""

IOUS = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)

LEAST_GAIN = 1e-3
"""A gain below is noise on any small validation set, and changes nothing."""

MOST_TRIES = 100


@dataclass(frozen=True)
class Recipe:
    """How an ensemble is made; the largest of its weights is 1."""

    method: str
    weights: tuple[float, ...]
    iou: float | None = None

    def with_weights(self, weights: Sequence[float]) -> 'Recipe':
        """Return it with other weights, of which the largest becomes 1."""
        largest = max(weights)
        return replace(self, weights=tuple(weight / largest for weight in weights))


@dataclass(frozen=True)
class Freedom:
    """Which methods and thresholds a search may try, and whether also weights."""

    methods: Sequence[str]
    ious: Sequence[float]
    weights: bool


class Best(NamedTuple):
    """The best recipe, the values before and after the search, and how many it took."""

    recipe: Recipe
    before: float
    after: float
    tried: int


def search(
    value: Callable[[Recipe], float],
    start: Recipe,
    freedom: Freedom,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Best:
    """Find a good recipe by changing one thing at a time.

    In turn the method, the threshold and each model's weight go to the best of
    their values, with all else as it is, until a round changes nothing. A recipe stays
    unless another is better by ``LEAST_GAIN``. The same files give the same recipe.
    """
    tried = {start: value(start)}
    best, before = start, None
    while best != before:
        before = best
        for change in range(2 + len(start.weights)):
            for other in list(_alternatives(best, freedom, change)):
                if other not in tried and len(tried) < MOST_TRIES:
                    tried[other] = value(other)
                    progress(len(tried), MOST_TRIES)
            near = [o for o in _alternatives(best, freedom, change) if o in tried]
            top = max(near, key=tried.__getitem__, default=best)
            if tried[top] >= tried[best] + LEAST_GAIN:
                best = top
    return Best(best, tried[start], tried[best], len(tried))


def _alternatives(recipe: Recipe, freedom: Freedom, change: int) -> Iterator[Recipe]:
    """List what one change makes of a recipe: 0 its method, 1 its IoU, 2... weights."""
    if change == 0:
        yield from (replace(recipe, method=method) for method in freedom.methods)
    elif change == 1:
        yield from (replace(recipe, iou=iou) for iou in freedom.ious)
    elif freedom.weights and len(recipe.weights) > 1:
        for weight in WEIGHTS:
            weights = list(recipe.weights)
            weights[change - 2] = weight
            if max(weights) > 0:
                yield recipe.with_weights(weights)
