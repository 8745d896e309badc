"""What the numbers of a generator's judgement say, in sentences."""

from collections.abc import Mapping
from typing import Any

from custom_datasets.evaluation.intervals import Interval
from custom_datasets.evaluation.judgement import NEAR
from custom_datasets.pages.kit import NOTHING, clipped, decimal, percent, with_interval


def judgement_summary(content: Mapping[str, Any]) -> list[str]:
    """Return the sentences for the content of ``judge.json``."""
    sentences = []
    likeness = content['likeness']
    if likeness:
        made, training = likeness['made'], likeness['training']
        sentences.append(
            f'KID {small(made["kernel_distance"])} to the held-out pictures, where '
            f'training pictures have {small(training["kernel_distance"])}.'
        )
        sentences.append(
            f'Precision {with_interval(made["precision"])} and recall '
            f'{with_interval(made["recall"])}, where training pictures have '
            f'{decimal(training["precision"]["value"])} and '
            f'{decimal(training["recall"]["value"])}.'
        )
    shares = mean_agreement(content)
    if shares:
        sentences.append(
            f'A classifier calls {percent(shares[0])} of the made pictures by the '
            f'name of their class, and {percent(shares[1])} of the held-out ones '
            '(means over classes).'
        )
    for part in content['copying']:
        sentences.append(
            f'By {part["space"]}, {share_text(part["copied"])} of the made pictures '
            f'are nearer to a training picture than {percent(1 - NEAR)} of the '
            f'held-out ones; {verdict(part)}.'
        )
    spreads = [
        (row['made']['value'], row['name'])
        for row in content['spread'] or ()
        if row['made']['value'] is not None
    ]
    if spreads:
        least, name = min(spreads)
        sentences.append(
            f'Within a class the made pictures differ least for {clipped(name, 40)}: '
            f'{decimal(least)} times as much as the training pictures.'
        )
    return sentences


def verdict(part: Mapping[str, Any]) -> str:
    """Say whether made pictures are copied more often than held-out ones would be."""
    if is_copying(part):
        return 'that is copying'
    return 'that is no more than chance'


def is_copying(part: Mapping[str, Any]) -> bool:
    """Tell whether the intervals of made and held-out pictures lie apart."""
    return bool(part['copied']['low'] > part['held_out']['high'])


def mean_agreement(content: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the means over classes, of made and of held-out pictures.

    Only classes count that have both.
    """
    rows = [
        (row['made']['value'], row['real']['value'])
        for row in content['agreement'] or ()
        if None not in (row['made']['value'], row['real']['value'])
    ]
    if not rows:
        return None
    made, real = (sum(column) / len(rows) for column in zip(*rows, strict=True))
    return made, real


def small(metric: Interval) -> str:
    """Write a distance, which is small, with four decimals, and its interval."""
    value, low, high = metric['value'], metric['low'], metric['high']
    if value is None or low is None or high is None:
        return NOTHING
    return f'{value:.4f} ({low:.4f} to {high:.4f})'


def share_text(metric: Interval) -> str:
    """Write a share and its interval as percentages."""
    value, low, high = metric['value'], metric['low'], metric['high']
    if value is None or low is None or high is None:
        return NOTHING
    return f'{percent(value)} ({percent(max(low, 0))} to {percent(high)})'
