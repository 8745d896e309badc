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
    ``neighbours``-th nearest. Intervals are Wilson's, for as many pictures as would
    explain a share's variance: that of the pictures that are counted, and that of the
    others, by a jackknife. They hold 95 % at least, and more often 98 %; a bootstrap
    would not do, since a picture that is drawn twice is its own nearest.

    Raises:
        ValueError: A set has no more rows than ``neighbours``.
    """
    if min(len(real), len(made)) <= neighbours:
        raise ValueError(f'it takes more than {neighbours} pictures on each side')
    between = _distances(real, made)
    return Coverage(
        _share_among(real, between, neighbours),
        _share_among(made, between.T, neighbours),
    )


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
    distances = _distances(rows, rows)
    np.fill_diagonal(distances, 0)
    return float(distances.sum() / (count * (count - 1)))


def spread(rows: _Features, references: _Features) -> Estimate:
    """Return the mean distance of two rows, as a ratio to that of references.

    The interval is a jackknife's, of the ratio's logarithm. NaN where a side has fewer
    than three rows, or where all references are the same.
    """
    if min(len(rows), len(references)) < 3 or not mean_distance(references):
        return Estimate(np.nan, np.nan, np.nan)
    value = mean_distance(rows) / mean_distance(references)
    if not value:
        return Estimate(0.0, 0.0, 0.0)
    margin = _NORMAL * float(
        np.hypot(_relative_error(rows), _relative_error(references))
    )
    return Estimate(value, value * np.exp(-margin), value * np.exp(margin))


def nearer_share(distances: Floats, references: Floats) -> Estimate:
    """Return how probably a distance is below one of the references; ties are halves.

    It is Mann and Whitney's statistic as a share: 0.5 where both are alike. The
    interval is DeLong's (DeLong et al., Biometrics 44, 1988), cut at 0 and 1.
    """
    if min(len(distances), len(references)) < 2:
        return Estimate(np.nan, np.nan, np.nan)
    wins = distances[:, None] < references[None, :]
    ties = distances[:, None] == references[None, :]
    scores = wins + 0.5 * ties
    value = float(scores.mean())
    variance = sum(
        np.var(scores.mean(axis=1 - side), ddof=1) / scores.shape[side]
        for side in (0, 1)
    )
    margin = _NORMAL * float(np.sqrt(variance))
    return Estimate(value, max(value - margin, 0.0), min(value + margin, 1.0))


def _relative_error(rows: _Features) -> float:
    """Return the standard error of :func:`mean_distance`, as a share of it."""
    distances, count = _distances(rows, rows), len(rows)
    np.fill_diagonal(distances, 0)
    total = distances.sum()
    without = (total - 2 * distances.sum(axis=1)) / ((count - 1) * (count - 2))
    error = float(np.sqrt((count - 1) * np.var(without)))
    return error * count * (count - 1) / float(total)


def _kernel(left: _Features, right: _Features) -> Floats:
    product = left.astype(np.float64) @ right.astype(np.float64).T
    result: Floats = (product / left.shape[1] + 1) ** 3
    return result


def _distances(left: _Features, right: _Features) -> Floats:
    left, right = left.astype(np.float64), right.astype(np.float64)
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :]
    result: Floats = np.sqrt(np.maximum(squares - 2 * left @ right.T, 0))
    return result


def _share_among(others: _Features, distances: Floats, neighbours: int) -> Estimate:
    """Return the share of rows among others; ``distances`` are (others, rows)."""
    own, count = _distances(others, others), len(others)
    np.fill_diagonal(own, -1)  # So that each is its own first, before a twin.
    order = np.argsort(own, axis=1, kind='stable')
    last = order[:, [neighbours, min(neighbours + 1, count - 1)]]
    radius, larger = np.take_along_axis(own, last, axis=1).T
    inside: NDArray[np.bool_] = distances <= radius[:, None]
    # Where a neighbour is left out, the next one is farther away.
    wider: NDArray[np.bool_] = distances <= larger[:, None]
    covers = inside.sum(axis=0)
    without = np.empty(count)
    for row in range(count):
        near = (order[:, 1 : neighbours + 1] == row).any(axis=1)
        left = covers - inside[row] + wider[near].sum(axis=0)
        without[row] = (left > 0).mean()
    hits = covers > 0
    binomial = float(hits.mean() * (1 - hits.mean()))
    variance = binomial / len(hits) + (count - 1) * float(np.var(without))
    return _wilson(float(hits.mean()), binomial / variance if binomial else len(hits))


def share_of(hits: Any) -> Estimate:
    """Return a share with Wilson's interval (E. B. Wilson, JASA 22, 1927).

    ``hits`` is an array of booleans; the share of none is NaN.
    """
    count = len(hits)
    if not count:
        return Estimate(np.nan, np.nan, np.nan)
    return _wilson(float(hits.mean()), count)


def _wilson(share: float, count: float) -> Estimate:
    weight = _NORMAL**2 / count
    middle = (share + weight / 2) / (1 + weight)
    variance = share * (1 - share) / count + weight / (4 * count)
    margin = _NORMAL * float(np.sqrt(variance)) / (1 + weight)
    return Estimate(share, max(middle - margin, 0.0), min(middle + margin, 1.0))
