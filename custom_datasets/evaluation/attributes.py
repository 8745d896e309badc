"""What classes stand for, each by itself: the decade of ``30s_male``, the gender.

An *attribute* gives each class a value. Where the values are numbers they have an
order, and a mistake has a size: taking the thirties for the sixties is worse than
taking them for the forties.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from custom_datasets.evaluation.bootstrap import RESAMPLES, Estimate, bootstrap
from custom_datasets.evaluation.classification import share_estimate
from custom_datasets.evaluation.results import Floats, Integers

Attributes = Mapping[str, Mapping[str, Any]]
"""The value of each class, by the attribute's name and the class's."""


def usable_attributes(attributes: Any, classes: Sequence[str]) -> Attributes:
    """Return the attributes that have a value for every class.

    Args:
        attributes: Of a data set's ``METAINFO``; None where it has none. With
            other classes by an override they may not fit any more.
        classes: Names of the classes.
    """
    return {
        name: values
        for name, values in (attributes or {}).items()
        if all(one in values for one in classes)
    }


def attribute_report(
    attributes: Attributes,
    classes: Sequence[str],
    truth: Integers,
    scores: Floats,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Evaluate each attribute.

    Args:
        attributes: With a value for every class.
        classes: Their names, in the order that numbers them.
        truth: Shape (images,), index into the classes.
        scores: Shape (images, classes), probabilities. The decision on an
            attribute is that of the most probable class.
        resamples: How often to resample images for the intervals.
        seed: The same seed draws the same resamples.

    Returns:
        For each attribute ``name``, and estimates (``value``, ``low``, ``high``):
        ``accuracy``; of numbers also ``within_one``, the share of images that
        are off by at most 1, ``mean_absolute_error``, and ``expected_error``,
        that of the mean of the values, each as probable as its class.
    """
    predicted = scores.argmax(axis=1)
    rows = []
    for name, values in attributes.items():
        of_class = [values[one] for one in classes]
        ordered = all(isinstance(value, (int, float)) for value in of_class)
        codes = np.asarray(of_class, float) if ordered else _numbered(of_class)
        off = abs(codes[predicted] - codes[truth])
        columns = [off == 0]
        if ordered:
            expected = abs(scores @ codes - codes[truth])
            columns += [off <= 1, off, expected]
        table = np.stack(columns, axis=1).astype(float)
        known = bootstrap(partial(_means, table), len(truth), resamples, seed)
        known[:2] = [share_estimate(one, len(truth)) for one in known[:2]]
        known[2:] = [_spread(one) for one in known[2:]]
        items = ('accuracy', 'within_one', 'mean_absolute_error', 'expected_error')
        named = zip(items[: len(known)], known, strict=True)
        rows.append({'name': name, **{key: one.as_json() for key, one in named}})
    return rows


def _numbered(values: Sequence[Any]) -> Floats:
    known = list(dict.fromkeys(values))
    return np.array([known.index(value) for value in values], float)


def _means(table: Floats, weights: Floats) -> Floats:
    means: Floats = weights @ table / weights.sum()
    return means


def _spread(error: Estimate) -> Estimate:
    """Leave out the interval where there is no error to resample."""
    return Estimate(0.0, np.nan, np.nan) if error.value == 0 else error
