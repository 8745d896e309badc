"""Numbers as the pages of a run show them; all are rounded ones of the JSON."""

from custom_datasets.pages.charts import interval_bar
from custom_datasets.pages.kit import (
    MOST_CLASSES,
    Estimate,
    Html,
    clipped,
    decimal,
    element,
    interval,
)


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
