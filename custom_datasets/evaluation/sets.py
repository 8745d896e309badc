"""Whether what holds on validation holds on the test set, and on each source of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

import numpy as np

from custom_datasets.data.origins import find_sources
from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.classification_report import overall_estimates
from custom_datasets.evaluation.intervals import (
    RESAMPLES,
    Estimate,
    Interval,
    bootstrap,
)
from custom_datasets.evaluation.results import ClassificationResults, Results

FAR = 2.0
"""Sets disagree if they are apart by more than so many times what chance explains."""

FEWEST = 20
"""Images that a set needs for its interval to be worth a judgement."""


class SetRow(TypedDict):
    """The metric on a whole set, the first of its rows, or on one source of it."""

    set: str
    sources: list[str]
    images: int
    estimate: Interval


class SetComparison(TypedDict):
    """The same metric on each set and on each source."""

    metric: Literal['top1', 'area_ap50']
    rows: list[SetRow]


def compare_sets(
    sets: Mapping[str, Results | None], *, resamples: int = RESAMPLES
) -> SetComparison:
    """Measure each set and each source in it; a UserError where its list is broken."""
    metric: Literal['top1', 'area_ap50'] = 'top1'
    rows: list[SetRow] = []
    for set_name, results in sets.items():
        if results is None:
            continue
        if not isinstance(results, ClassificationResults):
            metric = 'area_ap50'
        sources = find_sources([image.path for image in results.images])
        names = sorted({source for source in sources if source})
        parts: list[tuple[list[str], Results]] = [(names, results)]
        if len(set(sources)) > 1:
            parts += [([name], _of_source(results, sources, name)) for name in names]
        rows += [
            {
                'set': set_name,
                'sources': part_names,
                'images': len(part.images),
                'estimate': _estimate(part, resamples),
            }
            for part_names, part in parts
        ]
    return {'metric': metric, 'rows': rows}


def disagree(one: SetRow, other: SetRow) -> bool:
    """Tell whether two rows are apart far beyond the intervals of their estimates.

    What chance explains of their difference, at the level of the intervals, is the
    root of the sum of the squares of the halves that face each other. Far is
    ``FAR`` times that: drawing both sets from one population, of 50 to 400 images
    with 80 to 95 % right, got there at most 15 times in 10,000. The best of 30
    checkpoints on one of them did at most 5 times in 100.
    """
    if min(one['images'], other['images']) < FEWEST:
        return False
    estimates = [Estimate.from_json(row['estimate']) for row in (one, other)]
    less, more = sorted(estimates)
    # Where one is not defined, this is NaN, and nothing is above that.
    halves = less.high - less.value, more.value - more.low
    return more.value - less.value > FAR * math.hypot(*halves)


def _of_source(results: Results, sources: Sequence[str | None], name: str) -> Results:
    return results.take([index for index, own in enumerate(sources) if own == name])


def _estimate(results: Results, resamples: int) -> Interval:
    if isinstance(results, ClassificationResults):
        return overall_estimates(decide(results), resamples, seed=0)['top1']
    tables = ap_tables(results)
    images = len(results.images)
    (ap50,) = bootstrap(
        lambda weights: np.array([tables.ap50(weights)[0]]), images, resamples
    )
    # Where all is found there is nothing to resample, and no interval.
    return (Estimate(1.0, np.nan, np.nan) if ap50.value == 1 else ap50).as_json()
