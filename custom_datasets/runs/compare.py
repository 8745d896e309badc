"""Comparing runs: what a user reads, and the files."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from custom_datasets.errors import UserError
from custom_datasets.files import write_files
from custom_datasets.pages.charts import Dot, Line, fitted_axis, lines
from custom_datasets.pages.kit import (
    Html,
    Section,
    class_colours,
    element,
    encode_page,
    figure,
    frame_page,
    legend,
    number,
    plural,
    section,
    table,
)
from custom_datasets.runs.comparison import ComparedRun, Comparison, read_comparison
from custom_datasets.runs.settings_diff import differences
from custom_datasets.runs.tables import (
    SEEDS,
    Rows,
    Tables,
    as_csv,
    as_markdown,
    as_text,
    build_tables,
    write_cell,
)
from custom_datasets.training.record import Points, counts_epochs, curves_of

MOST_BYTES = 5_000_000
_PEAK = 4  # Times the median: a first loss beyond that would flatten the rest.


def comparison_page(comparison: Comparison, tables: Tables) -> str:
    """Return the page."""
    runs = comparison.runs
    heading = f'{plural(len(runs), "run")} compared'
    folders = ' · '.join(run.record.folder for run in runs)
    origin = element('p', folders, class_='source')
    sections = [
        _told(tables),
        _curves(runs),
        Section('runs', 'Runs', section('runs', 'Runs', *_tables(comparison, tables))),
        _settings(tables),
    ]
    present = [part for part in sections if part]
    colours = class_colours(len(runs))
    return frame_page(heading, 'comparison', origin, present, colours, 1.0)


def _told(tables: Tables) -> Section | None:
    if not tables.sentences:
        return None
    title = 'Verdict'
    body = section('verdict', title, *(element('p', line) for line in tables.sentences))
    return Section('verdict', title, body)


def _curves(runs: Sequence[ComparedRun]) -> Section | None:
    names = dict.fromkeys(run.get('best', 'metric') for run in runs)
    by_epoch = all(counts_epochs(run.record.content) for run in runs)
    charts = [_chart(runs, None, by_epoch)]
    charts += [_chart(runs, name, by_epoch) for name in names if name]
    drawn = [chart for chart in charts if chart]
    if not drawn:
        return None
    named = [(run.label, f'c{index}') for index, run in enumerate(runs)]
    figures = element('div', drawn, class_='figures')
    body = section('curves', 'Curves', legend(named), figures)
    return Section('curves', 'Curves', body)


def _chart(
    runs: Sequence[ComparedRun], metric: str | None, by_epoch: bool
) -> Html | None:
    """Draw the training loss, or a metric on validation, of all runs."""
    points = [_points(run, metric, by_epoch) for run in runs]
    if not any(points):
        return None
    curves = [
        Line(run.label, f'c{index}', each)
        for index, (run, each) in enumerate(zip(runs, points, strict=True))
        if each
    ]
    steps = [x for each in points for x, _ in each]
    values = sorted(y for each in points for _, y in each if math.isfinite(y))
    across = fitted_axis('epoch' if by_epoch else 'iteration', steps)
    name = metric or 'loss'
    dots: list[Dot] = []
    high = None
    if metric is None:
        median = values[len(values) // 2] if values else 1.0
        high = _PEAK * median if values and values[-1] > _PEAK * median else None
        text = 'Mean of each epoch, on the training set.'
        if high:
            text += f' What lies above {high:.3g} is not drawn.'
    else:
        dots = list(_best_dots(runs, metric, by_epoch))
        text = 'On the validation set; the dot is the best checkpoint.'
    up = fitted_axis(name, values, from_zero=metric is None, high=high)
    return figure(name, text, lines(curves, across, up, f'{name} of each run', dots))


def _points(run: ComparedRun, metric: str | None, by_epoch: bool) -> Points:
    curves = curves_of(run.record.content, by_epoch)
    return curves.loss if metric is None else curves.metrics.get(metric, [])


def _best_dots(
    runs: Sequence[ComparedRun], metric: str, by_epoch: bool
) -> Iterable[Dot]:
    for index, run in enumerate(runs):
        curves = curves_of(run.record.content, by_epoch)
        if curves.metric == metric and curves.best:
            yield Dot(run.label, f'c{index}', *curves.best)


def _tables(comparison: Comparison, tables: Tables) -> list[Html]:
    drawn = [_table('Each run', tables.overview)]
    drawn += [_table(SEEDS, tables.seeds)] if tables.seeds else []
    if tables.classes:
        caption = 'Each class on the test set, with intervals'
        drawn.append(_table(caption, tables.classes))
    if tables.differences and comparison.base:
        caption = f'Differences to {comparison.base.label}, paired, with intervals'
        drawn.append(_table(caption, tables.differences))
    return drawn


def _settings(tables: Tables) -> Section:
    title = 'Settings'
    rows = tables.settings
    drawn = _table('Settings that differ', rows) if rows else None
    body = section('settings', title, drawn, element('p', tables.equal))
    return Section('settings', title, body)


def _table(caption: str, rows: Rows) -> Html:
    written = [[write_cell(cell) for cell in row] for row in rows]
    body = [[name, *map(number, cells)] for name, *cells in written[1:]]
    return table(caption, written[0], body)


PAGE = os.path.join('work_dirs', 'compare.html')


def compare(
    folders: Sequence[str],
    page: str = PAGE,
    markdown: str | None = None,
    csv: str | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Compare runs, and write the page and the other files that are named.

    Args:
        folders: At least two work directories, or files of predictions.
        page: The HTML file; an existing one is replaced.
        markdown: A file for the tables as Markdown.
        csv: A file with one line per run.
        notes: What a reader has to know besides, in sentences.

    Returns:
        The tables, and what can be told from them.

    Raises:
        UserError: There is only one run, a record can't be read, or a file
            can't be written, or would replace something else.
    """
    if len(folders) < 2:
        raise UserError(f'{"".join(folders)}: only one run; name at least two')
    _require_suffixes({'.html': page, '.md': markdown, '.csv': csv})
    comparison = read_comparison(folders)
    comparison = replace(comparison, notes=(*notes, *comparison.notes))
    settings = differences([run.settings for run in comparison.configured])
    tables = build_tables(comparison, settings)
    texts = {page: comparison_page(comparison, tables)}
    if markdown:
        texts[markdown] = as_markdown(tables)
    if csv:
        texts[csv] = as_csv(comparison)
    for path, text in texts.items():
        folder, name = os.path.split(os.path.abspath(path))
        write_files(folder, {name: encode_page(text, MOST_BYTES)})
    return f'{as_text(tables)}\n\nwritten: {", ".join(texts)}'


def _require_suffixes(files: Mapping[str, str | None]) -> None:
    """Raise where a file has another suffix than its kind: it may be a run's."""
    for suffix, path in files.items():
        if path and not path.lower().endswith(suffix):
            raise UserError(
                f'{path}: is not written, because it could replace another file; '
                f'choose a name that ends in {suffix}'
            )
