"""The tables of a comparison, built once, for a terminal, as Markdown, as CSV."""

import csv
import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from custom_datasets.evaluation.intervals import Estimate
from custom_datasets.runs.comparison import ComparedRun, Comparison
from custom_datasets.runs.settings_diff import Differences, differences
from custom_datasets.runs.verdicts import SeedGroup, seed_groups, verdicts
from custom_datasets.text import padded, width
from custom_datasets.training.run_md import duration

NOTHING = '-'
SEEDS = 'Mean ± sample standard deviation (n - 1) over seeds'
_WIDE = 500  # Columns where there is no terminal: a file needs no line breaks.
_MOST_SETTINGS = 30


class Difference(Estimate):
    """The paired difference of two runs, with its interval."""


Cell = str | Estimate | None
"""A text, a metric, or nothing."""

Rows = list[list[Cell]]
"""The first row holds the heads, the first cell of each names it."""


class Tables(NamedTuple):
    """What a comparison shows; a table without anything to show is empty.

    One column per run, but one per config in ``seeds`` (mean and deviation over
    seeds). ``differences`` are to the first run. ``equal`` says how many settings are
    the same, and ``sentences`` has verdicts and notes.
    """

    overview: Rows
    seeds: Rows
    classes: Rows
    differences: Rows
    settings: Rows
    equal: str
    sentences: tuple[str, ...]


def build_tables(comparison: Comparison) -> Tables:
    """Put a comparison into tables."""
    configured = comparison.configured if comparison.is_of_one_task else ()
    settings = differences([run.settings for run in configured])
    return Tables(
        overview=_overview(comparison),
        seeds=_seed_rows(seed_groups(comparison.runs)),
        classes=_class_rows(comparison),
        differences=_difference_rows(comparison),
        settings=_setting_rows(comparison, settings),
        equal=_equal_settings(comparison, settings),
        sentences=(*verdicts(comparison), *comparison.notes),
    )


def as_text(tables: Tables) -> str:
    """Draw the tables for a terminal."""
    hidden = len(tables.settings) - 1 - _MOST_SETTINGS
    parts = [
        _drawn(tables.overview),
        *([f'{SEEDS}:', _drawn(tables.seeds)] if tables.seeds else []),
        _listed(tables.sentences),
        _drawn(tables.settings[: _MOST_SETTINGS + 1]) if tables.settings else '',
        (f'{hidden} more settings differ. ' if hidden > 0 else '') + tables.equal,
    ]
    return '\n'.join(part for part in parts if part)


def as_markdown(tables: Tables) -> str:
    """Write the tables as Markdown."""
    overview, seeds, classes, settings = (
        markdown_table([list(map(write_cell, row)) for row in rows]) if rows else ''
        for rows in (tables.overview, tables.seeds, tables.classes, tables.settings)
    )
    parts = [
        overview,
        *([f'{SEEDS}:', seeds] if seeds else []),
        _listed(tables.sentences),
        classes,
        settings,
        tables.equal,
    ]
    return '\n\n'.join(part for part in parts if part) + '\n'


def as_csv(comparison: Comparison) -> str:
    """Write one line per run: plain numbers, intervals in columns of their own."""
    ranks = comparison.ranks or [None] * len(comparison.runs)
    lines: list[list[tuple[str, Any]]] = []
    for run, rank in zip(comparison.runs, ranks, strict=True):
        line: list[tuple[str, Any]] = [
            ('run', run.label),
            ('folder', run.record.folder),
            ('rank', rank),
        ]
        estimates = run.measured.estimates() if run.measured else []
        for index, metric in enumerate(comparison.metrics):
            own = estimates[index] if estimates else None
            difference = run.against[index] if run.against else None
            line += _limits(metric.text, ('', ' low', ' high'), own)
            line += _limits(metric.text, (' difference', ' from', ' to'), difference)
        lines.append([*line, *((name, run.get(*path)) for name, path in _PLAIN)])
    file = io.StringIO()
    rows = ([value for _, value in line] for line in lines)
    writer = csv.writer(file, lineterminator='\n')
    writer.writerows([[head for head, _ in lines[0]], *rows])
    return file.getvalue()


def _limits(
    name: str, ends: Sequence[str], estimate: Estimate | None
) -> list[tuple[str, Any]]:
    values = estimate.as_json().values() if estimate else [None] * len(ends)
    return [(f'{name}{end}', value) for end, value in zip(ends, values, strict=True)]


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Write rows, the first of them the head, in columns of equal width."""
    rows = [[cell.replace('|', '\\|') for cell in row] for row in rows]
    widths = [max(3, *map(width, column)) for column in zip(*rows, strict=True)]
    rule = ['-' * widths[0], *(f'{"-" * (size - 1)}:' for size in widths[1:])]
    lines = []
    for first, *others in (rows[0], rule, *rows[1:]):
        cells = [padded(first, widths[0])]
        for cell, size in zip(others, widths[1:], strict=True):
            cells.append(padded(cell, size, right=True))
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def written(value: float) -> str:
    """Write a metric, 0 to 1."""
    return NOTHING if np.isnan(value) else f'{value:.3f}'


def written_estimate(estimate: Estimate) -> str:
    """Write a metric with its interval."""
    value, low, high = map(written, estimate)
    return value if low == NOTHING else f'{value} ({low} to {high})'


def write_cell(cell: Cell) -> str:
    """Write a cell as text."""
    if isinstance(cell, Difference):
        if np.isnan(cell.low):
            return NOTHING
        value, low, high = (f'{number:+.3f}' for number in cell)
        return f'{value} ({low} to {high})'
    if isinstance(cell, Estimate):
        return written_estimate(cell)
    return NOTHING if cell is None else cell


def _overview(comparison: Comparison) -> Rows:
    runs = comparison.runs
    rows: Rows = [['', *(run.label for run in runs)]]
    if comparison.ranks:
        ranks = (None if rank is None else str(rank) for rank in comparison.ranks)
        rows.append([f'rank by {comparison.metrics[0].text}', *ranks])
    estimates = [run.measured.estimates() if run.measured else [] for run in runs]
    for index, metric in enumerate(comparison.metrics):
        if metric.of is None:
            cells = (own[index] if own else None for own in estimates)
            rows.append([f'test {metric.text}', *cells])
            if comparison.base and any(run.against for run in runs):
                differences = (_difference(run, index) for run in runs)
                rows.append([f'  difference to {comparison.base.label}', *differences])
    rows += ([name, *map(fact, runs)] for name, fact in _FACTS.items())
    return rows


def _difference(run: ComparedRun, metric: int) -> Difference | None:
    return Difference(*run.against[metric]) if run.against else None


def _seed_rows(groups: Sequence[SeedGroup]) -> Rows:
    if not groups:
        return []
    seeds = (', '.join(str(run.get('seed')) for run in group.runs) for group in groups)
    rows: Rows = [
        ['', *(_config_name(group.runs[0]) for group in groups)],
        ['seeds', *seeds],
    ]
    assert groups[0].runs[0].measured
    for index, metric in enumerate(groups[0].runs[0].measured.metrics):
        if metric.of is None:
            cells = (
                f'{group.mean[index]:.3f} ± {group.std[index]:.3f}' for group in groups
            )
            rows.append([f'test {metric.text}', *cells])
    return rows


def _config_name(run: ComparedRun) -> str:
    overrides = run.get('config', 'overrides') or {}
    others = [f'{key}={value}' for key, value in overrides.items() if 'seed' not in key]
    return ' '.join([str(run.get('config', 'path')).rpartition('/')[2], *others])


def _class_rows(comparison: Comparison) -> Rows:
    tested = [run for run in comparison.runs if run.measured]
    columns = [run.measured.estimates() for run in tested if run.measured]
    rows: Rows = [
        [metric.text, *(column[index] for column in columns)]
        for index, metric in enumerate(comparison.metrics)
        if metric.of is not None
    ]
    return [['', *(run.label for run in tested)], *rows] if rows else []


def _difference_rows(comparison: Comparison) -> Rows:
    pairs = [run for run in comparison.runs if run.against]
    if not pairs or not comparison.metrics:
        return []
    rows: Rows = [['', *(run.label for run in pairs)]]
    for index, metric in enumerate(comparison.metrics):
        rows.append([metric.text, *(_difference(run, index) for run in pairs)])
    return rows


def _setting_rows(comparison: Comparison, settings: Differences) -> Rows:
    if not settings.rows:
        return []
    rows: Rows = [['', *(run.label for run in comparison.configured)]]
    rows += ([name, *texts] for name, texts in settings.rows.items())
    return rows


def _equal_settings(comparison: Comparison, settings: Differences) -> str:
    configured = comparison.configured
    if not configured:
        return 'The settings of no run are known.'
    if len(configured) == 1:
        return f'Only the settings of {configured[0].label} are known.'
    if not comparison.is_of_one_task:
        return 'The runs are of different tasks, so their settings are not compared.'
    if not settings.rows:
        return f'All {settings.equal} settings are the same.'
    return f'{settings.equal} other settings are the same.'


def _listed(sentences: Sequence[str]) -> str:
    return '\n'.join(f'- {sentence}' for sentence in sentences)


def _drawn(rows: Rows) -> str:
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    first, *others = map(write_cell, rows[0])
    table.add_column(first, overflow='fold')
    for head in others:
        table.add_column(head, justify='right', overflow='fold')
    for row in rows[1:]:
        table.add_row(*map(write_cell, row))
    columns = shutil.get_terminal_size((_WIDE, 24)).columns
    file = io.StringIO()
    Console(file=file, width=columns, markup=False, highlight=False).print(table)
    return '\n'.join(line.rstrip() for line in file.getvalue().splitlines())


Fact = Callable[[ComparedRun], str | None]


def _fact(write: Callable[[Any], str | None], *path: str) -> Fact:
    def fact(run: ComparedRun) -> str | None:
        value = run.get(*path)
        return None if value is None else write(value)

    return fact


def _best_epoch(run: ComparedRun) -> str | None:
    last, best = run.get('schedule', 'epochs'), run.get('best', 'epoch')
    return None if best is None else f'{best} of {last}'


def _batch(batch: Mapping[str, Any]) -> str | None:
    total = batch.get('total')
    ranks, steps = batch.get('ranks', 1), batch.get('accumulated', 1)
    how = [f'{ranks} GPUs'] if ranks > 1 else []
    how += [f'{steps} steps'] if steps > 1 else []
    more = f' ({", ".join(how)})' if how else ''
    return None if total is None else f'{total}{more}'


def _hardware(hardware: Mapping[str, Any]) -> str | None:
    gpus, cores = hardware.get('gpus'), hardware.get('cores')
    if gpus:
        first = gpus[0]
        name = first.get('name') if isinstance(first, dict) else first
        return f'{len(gpus)} x {name}'
    return f'CPU, {cores} cores' if cores else None


def _commit(git: Mapping[str, Any]) -> str | None:
    commit = git.get('commit')
    return commit and f'{commit[:7]}{" and changes" if git.get("dirty") else ""}'


_FACTS: dict[str, Fact] = {
    'status': _fact(str, 'status'),
    'best on validation': _fact(
        lambda best: f'{best["metric"]} {best["value"]:.4g}', 'best'
    ),
    'best epoch': _best_epoch,
    'learning rate': _fact(str, 'optimizer', 'lr'),
    'batch': _fact(_batch, 'batch'),
    'seed': _fact(str, 'seed'),
    'parameters': _fact(lambda count: f'{count / 1e6:.2f} M', 'model', 'parameters'),
    'wall time': _fact(duration, 'wall_seconds'),
    'images/s': _fact('{:.1f}'.format, 'speed', 'images_per_second'),
    'peak memory': _fact(
        lambda size: f'{size / 1000:.2f} GB', 'speed', 'peak_memory_mb'
    ),
    'hardware': _fact(_hardware, 'hardware'),
    'commit': _fact(_commit, 'git'),
}
"""Facts of a run as people read them."""

_PLAIN = (
    ('status', ('status',)),
    ('validation metric', ('best', 'metric')),
    ('best on validation', ('best', 'value')),
    ('best epoch', ('best', 'epoch')),
    ('learning rate', ('optimizer', 'lr')),
    ('batch', ('batch', 'total')),
    ('seed', ('seed',)),
    ('parameters', ('model', 'parameters')),
    ('wall seconds', ('wall_seconds',)),
    ('images/s', ('speed', 'images_per_second')),
    ('peak memory MB', ('speed', 'peak_memory_mb')),
    ('commit', ('git', 'commit')),
    ('dirty', ('git', 'dirty')),
)
"""Facts of a run as plain numbers: where the record has them."""
