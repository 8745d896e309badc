"""Finding pictures that show the same, from thumbnails alone.

Two pictures are alike if the coarse and, independently, the fine content of
their thumbnails agree. The coarse part alone, which is what a perceptual hash
looks at, takes one plain steel surface for another; the fine part tells them
apart. Both parts come from a discrete cosine transform (as pHash's does), and
are compared by correlation, which a change of brightness or contrast leaves.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.checking.image_facts import (
    COLOUR_SIDE,
    THUMBNAIL_SIDE,
    ImageFacts,
)

COARSE_LIKENESS = 0.95
FINE_LIKENESS = 0.85
COLOUR_DISTANCE = 24
"""Largest difference of Cr or Cb in a cell of the colour grid, of 255."""

_COARSE_SIDE = 8
_LEAST_FINE = 0.6  # In gray levels; rounding to bytes alone makes 0.29.
_BLOCK = 256

Vectors = NDArray[np.float32]


class Alike(NamedTuple):
    """Two pictures that show the same.

    Attributes:
        first: Index of the one.
        second: Index of the other, which is higher.
        mirrored: Whether the other shows it left to right.
    """

    first: int
    second: int
    mirrored: bool


def find_alike(facts: Sequence[ImageFacts]) -> Iterator[Alike]:
    """Find all pairs of pictures that show the same.

    Pictures without a thumbnail, or with too little in it, are like none.

    Args:
        facts: Of each picture; 10,000 take about a second.

    Yields:
        Pairs, by their first index.
    """
    places = [i for i, fact in enumerate(facts) if fact.thumbnail and fact.compared]
    waves = _transform([facts[i].thumbnail for i in places])
    coarse = waves[:, :_COARSE_SIDE, :_COARSE_SIDE].copy()
    coarse[:, 0, 0] = 0
    waves[:, :_COARSE_SIDE, :_COARSE_SIDE] = 0
    energy = np.linalg.norm(waves, axis=(1, 2)) / THUMBNAIL_SIDE
    usable = np.flatnonzero(energy > _LEAST_FINE)
    known = [facts[places[i]] for i in usable]
    for first, second, mirrored in _pairs(_unit(coarse[usable]), _unit(waves[usable])):
        if _has_same_colours(known[first], known[second], mirrored):
            yield Alike(places[usable[first]], places[usable[second]], mirrored)


def _pairs(coarse: Vectors, fine: Vectors) -> Iterator[tuple[int, int, bool]]:
    """Yield pairs whose vectors, shape (n, side * side), are close enough."""
    for mirrored in (False, True):
        coarse_signs, fine_signs = _signs(_COARSE_SIDE), _signs(THUMBNAIL_SIDE)
        if not mirrored:
            coarse_signs, fine_signs = coarse_signs**2, fine_signs**2
        for start in range(0, len(coarse), _BLOCK):
            rows = coarse[start : start + _BLOCK] * coarse_signs
            like = np.triu(rows @ coarse[start:].T > COARSE_LIKENESS, 1)
            one, other = np.flatnonzero(like.any(1)), np.flatnonzero(like.any(0))
            close = (fine[one + start] * fine_signs) @ fine[other + start].T
            for a, b in np.argwhere((close > FINE_LIKENESS) & like[np.ix_(one, other)]):
                yield int(one[a]) + start, int(other[b]) + start, mirrored


def _has_same_colours(one: ImageFacts, other: ImageFacts, mirrored: bool) -> bool:
    """Compare colours; a copy in gray, which has none, is not another picture."""
    if one.gray != other.gray:
        return True
    grids = [
        np.frombuffer(facts.colour, np.uint8).reshape(COLOUR_SIDE, COLOUR_SIDE, 2)
        for facts in (one, other)
    ]
    distance = grids[0].astype(int) - (grids[1][:, ::-1] if mirrored else grids[1])
    return bool(np.abs(distance).max() <= COLOUR_DISTANCE)


def _transform(thumbnails: Sequence[bytes]) -> Vectors:
    """Return the orthonormal DCT-II of thumbnails, shape (n, 32, 32)."""
    side = THUMBNAIL_SIDE
    steps = np.arange(side)
    wave = np.cos(np.pi * (steps + 0.5) * steps[:, None] / side) * (2 / side) ** 0.5
    wave[0] /= 2**0.5
    basis = wave.astype(np.float32)
    waves = np.empty((len(thumbnails), side, side), np.float32)
    for start in range(0, len(thumbnails), _BLOCK):
        block = thumbnails[start : start + _BLOCK]
        values = np.frombuffer(b''.join(block), np.uint8).reshape(-1, side, side)
        waves[start : start + _BLOCK] = basis @ values.astype(np.float32) @ basis.T
    return waves


def _signs(side: int) -> Vectors:
    """Return what mirroring does to waves: it negates those that are odd in x."""
    signs = np.ones((side, side), np.float32)
    signs[:, 1::2] = -1
    return signs.ravel()


def _unit(waves: Vectors) -> Vectors:
    """Flatten waves and scale each to length 1."""
    flat = waves.reshape(len(waves), waves.shape[1] * waves.shape[2])
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return flat
