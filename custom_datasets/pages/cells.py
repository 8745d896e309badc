"""Numbers as the pages of a run show them; all are rounded ones of the JSON."""

from collections.abc import Mapping

from custom_datasets.pages.charts import interval_bar
from custom_datasets.pages.kit import Html, clipped, element

Estimate = Mapping[str, float | None]
"""A metric as JSON has it: ``value``, ``low``, ``high``."""

NOTHING = '\N{EN DASH}'

MOST_CLASSES = 60
"""Classes that a table has."""


def decimal(value: float | None) -> str:
    """Write a share with three decimals."""
    return NOTHING if value is None else f'{value:.3f}'


def interval(estimate: Estimate) -> str:
    """Write from where to where a metric is known; nothing where it is not."""
    low, high = estimate['low'], estimate['high']
    return '' if low is None or high is None else f'{low:.3f} to {high:.3f}'


def with_interval(estimate: Estimate) -> str:
    """Write a metric, and its interval in brackets."""
    known = interval(estimate)
    return decimal(estimate['value']) + (f' ({known})' if known else '')


def estimate_cell(estimate: Estimate, style: str = '') -> Html:
    """Write a cell of a table: a metric, its interval, and that as a bar."""
    value, low, high = estimate['value'], estimate['low'], estimate['high']
    bar = None
    if value is not None and low is not None and high is not None:
        bar = interval_bar(value, low, high, style)
    known = interval(estimate)
    return element(
        'td', decimal(value), element('small', known) if known else None, bar
    )


def not_shown(count: int) -> Html | None:
    """Say where all classes are that there are; None where a table has them."""
    if count <= MOST_CLASSES:
        return None
    return element(
        'p', f'Only the first classes are shown; report.json has all {count:,}.'
    )


def worst_fact(name: str) -> tuple[str, str, str]:
    """Return the worst class as one of the facts of a page."""
    return 'worst class', clipped(name, 24), 'words'
