"""How alike two sets of pictures are, by the features of a network.

Features are arrays (N, D), a row for each picture.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.evaluation.intervals import Estimate
from custom_datasets.evaluation.results import Floats, Integers

_NORMAL = 1.959964
"""Standard errors on either side of a value that make 95 %."""

_ROWS = 1024
"""So many rows are compared with all others at once."""

_Features = NDArray[np.floating]


class Nearest(NamedTuple):
    """Of each row, how far its nearest reference is, and which one that is."""

    distances: Floats
    indices: Integers


class Coverage(NamedTuple):
    """Shares from 0 to 1.

    Attributes:
        precision: Made pictures that lie among real ones.
        recall: Real pictures that lie among made ones.
    """

    precision: Estimate
    recall: Estimate


def kernel_distance(real: _Features, made: _Features) -> Estimate:
    """Return the kernel distance, KID (Bińkowski et al. 2018, arXiv 1801.01401).

    It is the unbiased estimate of the squared maximum mean discrepancy with the kernel
    ``(x @ y / D + 1) ** 3``: about zero, above or below, where both sets come from one
    distribution. The interval is that of a jackknife, which leaves each picture out
    once; a bootstrap would draw pictures twice, whose kernel with themselves is large.
    Where both sets come from one distribution it is half as wide again as need be.

    Args:
        real: (N, D), three rows at least.
        made: (M, D), likewise.

    Raises:
        ValueError: There are fewer rows.
    """
    if min(len(real), len(made)) < 3:
        raise ValueError('it takes three pictures on each side, at least')
    within_real, n = _kernel(real, real), len(real)
    within_made, m = _kernel(made, made), len(made)
    np.fill_diagonal(within_real, 0)
    np.fill_diagonal(within_made, 0)
    between = _kernel(real, made)
    sums = within_real.sum(), within_made.sum(), between.sum()

    def distance(
        own: Floats | float,
        others: Floats | float,
        cross: Floats | float,
        a: int,
        b: int,
    ) -> Floats | float:
        return own / (a * (a - 1)) + others / (b * (b - 1)) - 2 * cross / (a * b)

    value = float(distance(*sums, n, m))
    without_real = distance(
        sums[0] - 2 * within_real.sum(axis=1),
        sums[1],
        sums[2] - between.sum(axis=1),
        n - 1,
        m,
    )
    without_made = distance(
        sums[0],
        sums[1] - 2 * within_made.sum(axis=1),
        sums[2] - between.sum(axis=0),
        n,
        m - 1,
    )
    variance = (n - 1) * np.var(without_real) + (m - 1) * np.var(without_made)
    margin = _NORMAL * float(np.sqrt(variance))
    return Estimate(value, value - margin, value + margin)


def coverage(real: _Features, made: _Features, neighbours: int = 3) -> Coverage:
    """Return precision and recall (Kynkäänniemi et al. 2019, arXiv 1904.06991).

    A picture lies among others where it is no farther from one of them than that one's
    ``neighbours``-th nearest. Intervals are Wilson's, of the shares: what they leave
    out is that other pictures would lie elsewhere.

    Raises:
        ValueError: A set has no more rows than ``neighbours``.
    """
    if min(len(real), len(made)) <= neighbours:
        raise ValueError(f'it takes more than {neighbours} pictures on each side')
    between = _distances(real, made)
    inside: NDArray[np.bool_] = between <= _radii(real, neighbours)[:, None]
    covered: NDArray[np.bool_] = between <= _radii(made, neighbours)[None, :]
    return Coverage(_share(inside.any(axis=0)), _share(covered.any(axis=1)))


def nearest(rows: _Features, references: _Features) -> Nearest:
    """Return the Euclidean distance of each row to its nearest reference."""
    parts = []
    for start in range(0, len(rows), _ROWS):
        distances = _distances(rows[start : start + _ROWS], references)
        index = distances.argmin(axis=1)
        parts.append((distances[np.arange(len(index)), index], index))
    return Nearest(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def mean_distance(rows: _Features) -> float:
    """Return the mean distance of two different rows; NaN where there is one only."""
    count = len(rows)
    if count < 2:
        return float('nan')
    return float(_distances(rows, rows).sum() / (count * (count - 1)))


def _kernel(left: _Features, right: _Features) -> Floats:
    product = left.astype(np.float64) @ right.astype(np.float64).T
    result: Floats = (product / left.shape[1] + 1) ** 3
    return result


def _distances(left: _Features, right: _Features) -> Floats:
    left, right = left.astype(np.float64), right.astype(np.float64)
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :]
    result: Floats = np.sqrt(np.maximum(squares - 2 * left @ right.T, 0))
    return result


def _radii(rows: _Features, neighbours: int) -> Floats:
    """Return the distance of each row to its k-th nearest other."""
    distances = _distances(rows, rows)
    np.fill_diagonal(distances, 0)
    result: Floats = np.partition(distances, neighbours, axis=1)[:, neighbours]
    return result


def _share(hits: Any) -> Estimate:
    """Return a share with Wilson's interval (E. B. Wilson, JASA 22, 1927)."""
    count, share = len(hits), float(hits.mean())
    weight = _NORMAL**2 / count
    middle = (share + weight / 2) / (1 + weight)
    spread = share * (1 - share) / count + weight / (4 * count)
    margin = _NORMAL * float(np.sqrt(spread)) / (1 + weight)
    return Estimate(share, middle - margin, middle + margin)
