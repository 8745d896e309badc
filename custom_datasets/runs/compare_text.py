"""Numbers, intervals and tables as text."""

from collections.abc import Sequence

import numpy as np

from custom_datasets.evaluation.bootstrap import Estimate


def written(value: float) -> str:
    """Write a metric, 0 to 1."""
    return '-' if np.isnan(value) else f'{value:.3f}'


def written_estimate(known: Estimate) -> str:
    """Write a metric with its interval."""
    if np.isnan(known.low):
        return written(known.value)
    return f'{written(known.value)} ({written(known.low)} to {written(known.high)})'


def written_difference(difference: Estimate) -> str:
    """Write a difference and its interval, each with a sign."""
    if np.isnan(difference.low):
        return '-'
    value, low, high = (f'{number:+.3f}' for number in difference)
    return f'{value} ({low} to {high})'


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Draw rows, the first of them heads, in columns of equal width."""
    rows = [[cell.replace('|', '\\|') for cell in row] for row in rows]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    rule = ['-' * widths[0], *(f'{"-" * (width - 1)}:' for width in widths[1:])]
    lines = []
    for first, *others in (rows[0], rule, *rows[1:]):
        cells = [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)
