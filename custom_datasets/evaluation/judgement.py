"""How good made pictures are, in numbers: against real ones that were held out.

Everything is compared class by class in the same numbers, so that a generator is not
blamed for classes being frequent. What training pictures reach against the held-out
ones is the mark to meet: more is not to be had, and better than that is suspicious.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from custom_datasets.evaluation.distributions import (
    coverage,
    kernel_distance,
    nearer_share,
    nearest,
    share_of,
    spread,
)
from custom_datasets.evaluation.intervals import Estimate, Interval
from custom_datasets.evaluation.results import Floats, Integers

NEAR = 0.01
"""Share of held-out pictures that are as near to a training picture as a copy is."""

FEWEST = 10
"""Pictures below which sets are not compared."""

_MOST_PAIRS = 15
_QUANTILES = 51


@dataclass(frozen=True)
class Pictures:
    """Pictures as numbers, a row for each.

    Attributes:
        labels: (N,), numbers of classes.
        pixels: (N, d), as colours of a few places, from 0 to 255.
        features: (N, D) of an ImageNet network; None where there is none.
        names: What a classifier calls them; None for one that it was trained on, or
            for all where there is no classifier.
    """

    labels: Integers
    pixels: NDArray[np.floating]
    features: NDArray[np.floating] | None = None
    names: Sequence[str | None] = ()

    def take(self, rows: Integers) -> 'Pictures':
        """Return some of them."""
        names = [self.names[row] for row in rows] if self.names else ()
        features = None if self.features is None else self.features[rows]
        return replace(
            self,
            labels=self.labels[rows],
            pixels=self.pixels[rows],
            features=features,
            names=names,
        )


class Likeness(TypedDict):
    """One set of pictures against the held-out ones, ``pictures`` on each side."""

    pictures: int
    kernel_distance: Interval
    precision: Interval
    recall: Interval


class ClassAgreement(TypedDict):
    """How often a classifier calls pictures of a class by its name.

    ``taken_for`` counts the other names that it gives made ones, most frequent first.
    """

    name: str
    made: Interval
    made_pictures: int
    real: Interval
    real_pictures: int
    taken_for: list[tuple[str, int]]


class Pair(TypedDict):
    """A made picture and the training picture that is nearest, both by number.

    ``copied`` tells whether it is nearer than held-out pictures are; ``mirrored``
    whether the training picture is like it from left to right.
    """

    made: int
    training: int
    mirrored: bool
    distance: float
    copied: bool


class Copying(TypedDict):
    """How near pictures are to the nearest training picture, by one kind of distance.

    Attributes:
        space: ``features`` or ``pixels``.
        limit: Below it, a picture counts as copied; :data:`NEAR` of those held out are.
        copied: The share of made pictures that are.
        held_out: Of held-out pictures that are, by the same rule.
        nearer: How probably a made picture is nearer than a held-out one, both in the
            same numbers of each class.
        made_distances: Quantiles of the distances, from the least to the largest.
        held_out_distances: Likewise.
        pairs: The nearest ones first, and each training picture once.
    """

    space: str
    limit: float
    copied: Interval
    held_out: Interval
    nearer: Interval
    made_distances: list[float]
    held_out_distances: list[float]
    pairs: list[Pair]


class ClassSpread(TypedDict):
    """How different pictures of a class are from each other, as a ratio to real ones.

    ``held_out`` shows what the ratio does by chance.
    """

    name: str
    made: Interval
    held_out: Interval
    made_pictures: int
    held_out_pictures: int
    training_pictures: int


class Numbers(TypedDict):
    """All of them; None for what cannot be measured."""

    matched: dict[str, int]
    likeness: dict[str, Likeness] | None
    agreement: list[ClassAgreement] | None
    copying: list[Copying]
    spread: list[ClassSpread] | None


class Sets(NamedTuple):
    """What is compared; ``mirrored`` are the training pictures from left to right."""

    made: Pictures
    held_out: Pictures
    training: Pictures
    mirrored: Pictures


def judge(sets: Sets, classes: Sequence[str], seed: int = 0) -> Numbers:
    """Compare made pictures with real ones.

    Args:
        sets: The held-out ones are no copies of training pictures.
        classes: Their names, by number.
        seed: Of what is drawn where one set has more pictures of a class.
    """
    made, held_out, training, _ = sets
    alike, counts = _matched((made, held_out, training), classes, seed)
    both, _ = _matched((made, held_out), classes, seed)
    likeness = None
    if len(alike[0].labels) >= FEWEST and made.features is not None:
        likeness = {
            'made': _likeness(alike[1], alike[0]),
            'training': _likeness(alike[1], alike[2]),
        }
    spaces = ['pixels'] if made.features is None else ['features', 'pixels']
    return {
        'matched': counts,
        'likeness': likeness,
        'agreement': _agreement(made, held_out, classes) if made.names else None,
        'copying': [
            _copying(space, sets, both)
            for space in spaces
            if len(held_out.labels) >= FEWEST
        ],
        'spread': None
        if made.features is None
        else [_spread(sets, number, name) for number, name in enumerate(classes)],
    }


def _matched(
    sets: Sequence[Pictures], classes: Sequence[str], seed: int
) -> tuple[list[Pictures], dict[str, int]]:
    """Draw as many of each class from each set as the smallest of them has."""
    counts = [
        min(int((each.labels == label).sum()) for each in sets)
        for label in range(len(classes))
    ]
    drawn = []
    for each in sets:
        rng = np.random.default_rng(seed)
        rows = [
            np.sort(rng.permutation(np.flatnonzero(each.labels == label))[:count])
            for label, count in enumerate(counts)
        ]
        drawn.append(each.take(np.concatenate(rows)))
    return drawn, dict(zip(classes, counts, strict=True))


def _likeness(real: Pictures, others: Pictures) -> Likeness:
    assert real.features is not None and others.features is not None
    shares = coverage(real.features, others.features)
    distance = kernel_distance(real.features, others.features)
    return {
        'pictures': len(real.labels),
        'kernel_distance': distance.as_json(),
        'precision': shares.precision.as_json(),
        'recall': shares.recall.as_json(),
    }


def _agreement(
    made: Pictures, held_out: Pictures, classes: Sequence[str]
) -> list[ClassAgreement]:
    rows: list[ClassAgreement] = []
    for label, name in enumerate(classes):
        told, real = (
            [called for called in _of_class(each, label).names if called is not None]
            for each in (made, held_out)
        )
        others = Counter(called for called in told if called != name)
        rows.append(
            {
                'name': name,
                'made': _hits(told, name).as_json(),
                'made_pictures': len(told),
                'real': _hits(real, name).as_json(),
                'real_pictures': len(real),
                'taken_for': others.most_common(3),
            }
        )
    return rows


def _copying(space: str, sets: Sets, both: Sequence[Pictures]) -> Copying:
    references = np.concatenate(
        [_rows(sets.training, space), _rows(sets.mirrored, space)]
    )
    count = len(sets.training.labels)
    near = nearest(_rows(sets.made, space), references)
    held_out = nearest(_rows(sets.held_out, space), references).distances
    limit = float(np.quantile(held_out, NEAR))
    alike = [nearest(_rows(each, space), references).distances for each in both]
    copied = near.distances < limit
    pairs: list[Pair] = []
    shown: set[int] = set()
    for row in np.argsort(near.distances, kind='stable').tolist():
        mirrored, training = divmod(int(near.indices[row]), count)
        if training not in shown and len(pairs) < _MOST_PAIRS:
            shown.add(training)
            pairs.append(
                {
                    'made': row,
                    'training': training,
                    'mirrored': bool(mirrored),
                    'distance': round(float(near.distances[row]), 4),
                    'copied': bool(copied[row]),
                }
            )
    return {
        'space': space,
        'limit': round(limit, 4),
        'copied': share_of(copied).as_json(),
        'held_out': share_of(held_out < limit).as_json(),
        'nearer': nearer_share(*alike).as_json(),
        'made_distances': _quantiles(near.distances),
        'held_out_distances': _quantiles(held_out),
        'pairs': pairs,
    }


def _spread(sets: Sets, label: int, name: str) -> ClassSpread:
    parts = [
        _rows(_of_class(each, label), 'features')
        for each in (sets.made, sets.held_out, sets.training)
    ]
    made, held_out, training = parts
    return {
        'name': name,
        'made': spread(made, training).as_json(),
        'held_out': spread(held_out, training).as_json(),
        'made_pictures': len(made),
        'held_out_pictures': len(held_out),
        'training_pictures': len(training),
    }


def _of_class(pictures: Pictures, label: int) -> Pictures:
    return pictures.take(np.flatnonzero(pictures.labels == label))


def _rows(pictures: Pictures, space: str) -> NDArray[np.floating]:
    if space == 'pixels':
        # So that a distance is a mean difference in grey levels, of 255.
        scaled: Floats = pictures.pixels / np.sqrt(pictures.pixels.shape[1])
        return scaled
    assert pictures.features is not None
    return pictures.features


def _hits(names: Sequence[str | None], name: str) -> Estimate:
    return share_of(np.array([called == name for called in names], dtype=bool))


def _quantiles(distances: Floats) -> list[float]:
    places = np.linspace(0, 1, _QUANTILES)
    return [round(float(value), 4) for value in np.quantile(distances, places)]
