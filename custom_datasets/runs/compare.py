"""Comparing runs: the page, and the files."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from custom_datasets.errors import UserError
from custom_datasets.evaluation.intervals import Estimate
from custom_datasets.files import write_files
from custom_datasets.pages.charts import Dot, Line, fitted_axis, lines, peak_limit
from custom_datasets.pages.kit import plural, render
from custom_datasets.predicting.colours import class_colours
from custom_datasets.runs.comparison import ComparedRun, Comparison, read_comparison
from custom_datasets.runs.tables import (
    SEEDS,
    Cell,
    Difference,
    Rows,
    Tables,
    as_csv,
    as_markdown,
    as_text,
    build_tables,
    write_cell,
)
from custom_datasets.runs.verdicts import is_beyond_chance
from custom_datasets.training.record import counts_epochs, curves_of
from custom_datasets.training.run_md import neighbours

PAGE = os.path.join('work_dirs', 'compare.html')


def compare(
    folders: Sequence[str],
    page: str = PAGE,
    markdown: str | None = None,
    csv: str | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Compare runs, write the page and the files that are named, and return the tables.

    ``folders`` are work directories or files of predictions, at least two. ``csv`` gets
    one line per run; ``notes`` are sentences to add.

    Raises:
        UserError: There is only one run, a record can't be read, or a file can't be
            written, or would replace something else.
    """
    if len(folders) < 2:
        raise UserError(f'{"".join(folders)}: only one run; name at least two')
    _require_suffixes({'.html': page, '.md': markdown, '.csv': csv})
    comparison = read_comparison(folders)
    comparison = replace(comparison, notes=(*notes, *comparison.notes))
    tables = build_tables(comparison)
    files = {page: _page(comparison, tables, os.path.dirname(os.path.abspath(page)))}
    if markdown:
        files[markdown] = as_markdown(tables).encode(errors='backslashreplace')
    if csv:
        files[csv] = as_csv(comparison).encode(errors='backslashreplace')
    for path, data in files.items():
        folder, name = os.path.split(os.path.abspath(path))
        write_files(folder, {name: data})
    return f'{as_text(tables)}\n\nwritten: {", ".join(files)}'


def _require_suffixes(files: Mapping[str, str | None]) -> None:
    """Refuse other suffixes: such a file may belong to a run."""
    for suffix, path in files.items():
        if path and not path.lower().endswith(suffix):
            raise UserError(
                f'{path}: is not written, because it could replace another file; '
                f'choose a name that ends in {suffix}'
            )


def _page(comparison: Comparison, tables: Tables, folder: str) -> bytes:
    runs = comparison.runs
    styles = {run.label: f'c{index}' for index, run in enumerate(runs)}
    base = comparison.base.label if comparison.base else ''
    paired = f'Differences to {base}, paired: coloured where the interval leaves out 0'
    captions = (
        ('Each run', tables.overview),
        (SEEDS, tables.seeds),
        ('Each class on the test set, with intervals', tables.classes),
        (paired, tables.differences),
    )
    return render(
        'compare.html',
        heading=f'{plural(len(runs), "run")} compared',
        kind='comparison',
        colours=class_colours(len(runs)),
        runs=[
            (run.label, styles[run.label], run.record.folder, _links(run, folder))
            for run in runs
        ],
        sentences=tables.sentences,
        curves=_curves(runs),
        tables=[_table(title, rows, styles) for title, rows in captions if rows],
        settings=tables.settings,
        equal=tables.equal,
    )


def _links(run: ComparedRun, folder: str) -> list[tuple[str, str]]:
    if not run.settings:
        return []
    way = os.path.relpath(run.record.folder, folder)
    return [(text, f'{way}/{path}') for text, path in neighbours(run.record.folder, '')]


def _table(title: str, rows: Rows, styles: Mapping[str, str]) -> dict[str, Any]:
    heads = list(map(write_cell, rows[0]))
    bounds = [
        abs(bound)
        for row in rows[1:]
        for cell in row
        if isinstance(cell, Difference)
        for bound in cell
        if math.isfinite(bound)
    ]
    reach = max(bounds, default=0.0) or 1.0
    return {
        'title': title,
        # Bars need the width, words do not.
        'kind': '' if title == SEEDS else 'full',
        'heads': heads,
        'styles': [styles.get(head, '') for head in heads[1:]],
        'rows': [
            (write_cell(name), [_cell(cell, reach) for cell in cells])
            for name, *cells in rows[1:]
        ],
    }


def _cell(cell: Cell, reach: float) -> dict[str, Any]:
    """Return a cell of the page; differences are drawn on a scale up to ``reach``."""
    if isinstance(cell, Difference) and math.isfinite(cell.low):
        value, low, high = (number / reach for number in cell)
        text, limits = write_cell(cell).split(' ', 1)
        return {
            'kind': 'difference',
            'text': text,
            'limits': limits.strip('()'),
            'value': value,
            'low': low,
            'high': high,
            'style': 'told' if is_beyond_chance(cell) else '',
        }
    if isinstance(cell, Estimate) and not isinstance(cell, Difference):
        return {'kind': 'metric', 'metric': cell.as_json()}
    return {'kind': 'text', 'text': write_cell(cell)}


Figure = tuple[str, str, Markup]
"""A title, what the chart says, and the chart."""


def _curves(runs: Sequence[ComparedRun]) -> list[Figure]:
    by_epoch = all(counts_epochs(run.record.content) for run in runs)
    curves = [curves_of(run.record.content, by_epoch) for run in runs]
    losses = [own.loss for own in curves]
    limit = peak_limit(value for points in losses for _, value in points)
    text = 'Mean of each epoch, on the training set.'
    if limit:
        text += f' What lies above {limit:.3g} is not drawn.'
    charts = [
        ('loss', text, losses),
        ('learning rate', 'At the end of each epoch.', [own.rate for own in curves]),
    ]
    text = 'On the validation set; the dot is the best checkpoint.'
    charts += [
        (metric, text, [own.metrics.get(metric, []) for own in curves])
        for metric in dict.fromkeys(own.metric for own in curves if own.metric)
    ]
    figures = []
    for place, (name, text, points) in enumerate(charts):
        if not any(points):
            continue
        dots = [
            Dot(run.label, f'c{index}', *own.best)
            for index, (run, own) in enumerate(zip(runs, curves, strict=True))
            if own.best and own.metric == name and place > 1
        ]
        steps, values = zip(*(point for own in points for point in own), strict=True)
        chart = lines(
            [
                Line(run.label, f'c{index}', own)
                for index, (run, own) in enumerate(zip(runs, points, strict=True))
                if own
            ],
            fitted_axis('epoch' if by_epoch else 'iteration', steps),
            fitted_axis(name, values, place < 2, limit if place == 0 else None),
            f'{name} of each run',
            dots,
        )
        figures.append((name, text, chart))
    return figures
