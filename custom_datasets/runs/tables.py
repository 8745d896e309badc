"""The table of runs: for a terminal, as Markdown, as CSV."""

import csv
import io
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from custom_datasets.evaluation.intervals import Estimate
from custom_datasets.runs.comparison import ComparedRun, Comparison
from custom_datasets.runs.settings_diff import Differences
from custom_datasets.runs.verdicts import SeedGroup, seed_groups, verdicts
from custom_datasets.training.run_md import duration


def _best(run: ComparedRun) -> str | None:
    best = run.get('best')
    return best and f'{best["metric"]} {best["value"]:.4g}'


def _best_epoch(run: ComparedRun) -> str | None:
    last, best = run.get('schedule', 'epochs'), run.get('best', 'epoch')
    return None if best is None else f'{best} of {last}'


def _batch(run: ComparedRun) -> str | None:
    batch = run.get('batch') or {}
    total = batch.get('total')
    ranks, steps = batch.get('ranks', 1), batch.get('accumulated', 1)
    how = [f'{ranks} GPUs'] if ranks > 1 else []
    how += [f'{steps} steps'] if steps > 1 else []
    return f'{total} ({", ".join(how)})' if total and how else total


def _parameters(run: ComparedRun) -> str | None:
    count = run.get('model', 'parameters')
    return count and f'{count / 1e6:.2f} M'


def _time(run: ComparedRun) -> str | None:
    seconds = run.get('wall_seconds')
    return None if seconds is None else duration(seconds)


def _speed(run: ComparedRun) -> str | None:
    speed = run.get('speed', 'images_per_second')
    return None if speed is None else f'{speed:.1f}'


def _memory(run: ComparedRun) -> str | None:
    size = run.get('speed', 'peak_memory_mb')
    return None if size is None else f'{size / 1000:.2f} GB'


def _hardware(run: ComparedRun) -> str | None:
    hardware = run.get('hardware') or {}
    gpus = hardware.get('gpus')
    if gpus:
        first = gpus[0]
        name = first.get('name') if isinstance(first, dict) else first
        return f'{len(gpus)} x {name}'
    cores = hardware.get('cores')
    return cores and f'CPU, {cores} cores'


def _commit(run: ComparedRun) -> str | None:
    commit = run.get('git', 'commit')
    if commit is None:
        return None
    return f'{commit[:7]}{" and changes" if run.get("git", "dirty") else ""}'


FACTS: dict[str, Callable[[ComparedRun], Any]] = {
    'status': lambda run: run.get('status'),
    'best on validation': _best,
    'best epoch': _best_epoch,
    'learning rate': lambda run: run.get('optimizer', 'lr'),
    'batch': _batch,
    'seed': lambda run: run.get('seed'),
    'parameters': _parameters,
    'wall time': _time,
    'images/s': _speed,
    'peak memory': _memory,
    'hardware': _hardware,
    'commit': _commit,
}
"""Writes each fact of a run for people; None where it is not known."""
PLAIN: dict[str, tuple[str, ...]] = {
    'status': ('status',),
    'validation metric': ('best', 'metric'),
    'best on validation': ('best', 'value'),
    'best epoch': ('best', 'epoch'),
    'learning rate': ('optimizer', 'lr'),
    'batch': ('batch', 'total'),
    'seed': ('seed',),
    'parameters': ('model', 'parameters'),
    'wall seconds': ('wall_seconds',),
    'images/s': ('speed', 'images_per_second'),
    'peak memory MB': ('speed', 'peak_memory_mb'),
    'commit': ('git', 'commit'),
    'dirty': ('git', 'dirty'),
}
"""Where each plain number of a run is in its record, for a file of such numbers."""


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


Rows = list[list[str]]
"""Cells; the first row has the heads."""

NOTHING = '-'
SEEDS = 'Mean ± sample standard deviation (n - 1) over seeds'
_WIDE = 500  # Columns where there is no terminal: a file needs no line breaks.
_MOST_SETTINGS = 30


def overview(comparison: Comparison) -> Rows:
    """Return one row a fact and one column a run."""
    runs = comparison.runs
    rows = [['', *(run.label for run in runs)]]
    if comparison.ranks:
        ranks = [NOTHING if rank is None else str(rank) for rank in comparison.ranks]
        rows.append([f'rank by {comparison.metrics[0].text}', *ranks])
    known = [i for i, metric in enumerate(comparison.metrics) if metric.of is None]
    paired = any(run.against for run in runs)
    for index in known:
        cells = [
            written_estimate(run.measured.estimates()[index])
            if run.measured
            else NOTHING
            for run in runs
        ]
        rows.append([f'test {comparison.metrics[index].text}', *cells])
        if paired and comparison.base:
            cells = [
                written_difference(run.against[index]) if run.against else NOTHING
                for run in runs
            ]
            rows.append([f'  less that of {comparison.base.label}', *cells])
    for name, fact in FACTS.items():
        facts = [fact(run) for run in runs]
        rows.append([name, *(NOTHING if f is None else str(f) for f in facts)])
    return rows


def class_rows(comparison: Comparison) -> Rows:
    """Return the metrics of each class, with intervals, one column a run."""
    known = [run for run in comparison.runs if run.measured]
    rows = [['', *(run.label for run in known)]]
    columns = [run.measured.estimates() for run in known if run.measured]
    for index, metric in enumerate(comparison.metrics):
        if metric.of is not None:
            cells = (written_estimate(column[index]) for column in columns)
            rows.append([metric.text, *cells])
    return rows


def seed_rows(groups: Sequence[SeedGroup]) -> Rows:
    """Return mean and standard deviation over seeds, one column a config."""
    if not groups:
        return []
    rows = [['', *(_config_name(group.runs[0]) for group in groups)]]
    seeds = (', '.join(str(run.get('seed')) for run in group.runs) for group in groups)
    rows.append(['seeds', *seeds])
    assert groups[0].runs[0].measured
    for index, metric in enumerate(groups[0].runs[0].measured.metrics):
        if metric.of is None:
            cells = (
                f'{group.mean[index]:.3f} ± {group.std[index]:.3f}' for group in groups
            )
            rows.append([f'test {metric.text}', *cells])
    return rows


def setting_rows(comparison: Comparison, found: Differences) -> Rows:
    """Return the settings that differ, one column a run that has settings."""
    heads = ['', *(run.label for run in comparison.configured)]
    return [heads, *([name, *texts] for name, texts in found.rows.items())]


def equal_settings(found: Differences) -> str:
    """Say how many settings are the same."""
    if not found.rows and not found.equal:
        return 'Of no run the settings are known.'
    if not found.rows:
        return f'All {found.equal} settings are the same.'
    return f'{found.equal} other settings are the same.'


def as_text(comparison: Comparison, found: Differences) -> str:
    """Draw everything for a terminal."""
    settings = setting_rows(comparison, found)
    parts = [_drawn(overview(comparison))]
    parts += _seeds_text(comparison)
    parts += [_listed([*verdicts(comparison), *comparison.notes])]
    if len(settings) > 1:
        parts.append(_drawn(settings[: _MOST_SETTINGS + 1]))
    more = len(settings) - 1 - _MOST_SETTINGS
    hidden = f'{more} more settings differ. ' if more > 0 else ''
    parts.append(hidden + equal_settings(found))
    return '\n'.join(part for part in parts if part)


def as_markdown(comparison: Comparison, found: Differences) -> str:
    """Write everything as Markdown."""
    parts = [markdown_table(overview(comparison))]
    seeds = seed_rows(seed_groups(comparison.runs))
    if seeds:
        parts += [f'{SEEDS}:', markdown_table(seeds)]
    said = [*verdicts(comparison), *comparison.notes]
    parts += ['\n'.join(f'- {line}' for line in said)] if said else []
    if len(class_rows(comparison)) > 1:
        parts.append(markdown_table(class_rows(comparison)))
    if found.rows:
        parts.append(markdown_table(setting_rows(comparison, found)))
    parts.append(equal_settings(found))
    return '\n\n'.join(parts) + '\n'


def as_csv(comparison: Comparison) -> str:
    """Write one line a run: plain numbers, intervals in columns of their own."""
    heads = ['run', 'folder', 'rank']
    lines: list[list[Any]] = []
    for index, run in enumerate(comparison.runs):
        rank = comparison.ranks[index] if comparison.ranks else None
        lines.append([run.label, run.record.folder, rank])
    for index, metric in enumerate(comparison.metrics):
        heads += [metric.text, f'{metric.text} low', f'{metric.text} high']
        heads += [f'{metric.text} {name}' for name in ('difference', 'from', 'to')]
        for run, line in zip(comparison.runs, lines, strict=True):
            known = run.measured.estimates()[index] if run.measured else None
            less = run.against[index] if run.against else None
            for each in (known, less):
                line.extend(each.as_json().values() if each else [None] * 3)
    for name, path in PLAIN.items():
        heads.append(name)
        for run, line in zip(comparison.runs, lines, strict=True):
            line.append(run.get(*path))
    file = io.StringIO()
    csv.writer(file, lineterminator='\n').writerows([heads, *lines])
    return file.getvalue()


def _seeds_text(comparison: Comparison) -> list[str]:
    rows = seed_rows(seed_groups(comparison.runs))
    return [f'{SEEDS}:', _drawn(rows)] if rows else []


def _listed(lines: Sequence[str]) -> str:
    return '\n'.join(f'- {line}' for line in lines)


def _drawn(rows: Rows) -> str:
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    first, *others = rows[0]
    table.add_column(first, overflow='fold')
    for head in others:
        table.add_column(head, justify='right', overflow='fold')
    for row in rows[1:]:
        table.add_row(*row)
    width = shutil.get_terminal_size((_WIDE, 24)).columns
    file = io.StringIO()
    Console(file=file, width=width, markup=False, highlight=False).print(table)
    return '\n'.join(line.rstrip() for line in file.getvalue().splitlines())


def _config_name(run: ComparedRun) -> str:
    overrides = run.get('config', 'overrides') or {}
    others = [f'{key}={value}' for key, value in overrides.items() if 'seed' not in key]
    return ' '.join([str(run.get('config', 'path')).rpartition('/')[2], *others])
