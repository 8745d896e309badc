"""Comparing runs: what a user reads, and the files."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from custom_datasets.errors import UserError
from custom_datasets.reporting.frame import encode_page, write_files
from custom_datasets.runs.compare_page import MOST_BYTES, comparison_page
from custom_datasets.runs.compare_runs import read_comparison
from custom_datasets.runs.compare_settings import differences
from custom_datasets.runs.compare_table import as_csv, as_markdown, as_text

PAGE = os.path.join('work_dirs', 'compare.html')


def compare(
    folders: Sequence[str],
    page: str = PAGE,
    markdown: str | None = None,
    csv: str | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Compare runs, and write the page and what else is asked for.

    Args:
        folders: Their work directories, or files of predictions on the test set;
            two at least.
        page: The HTML file; one that is there is replaced.
        markdown: A file for the tables as Markdown.
        csv: A file with one line a run.
        notes: What a reader has to know besides, a sentence each.

    Returns:
        The tables, and what can be told from them.

    Raises:
        UserError: There is only one run, a record can't be read, or a file
            can't be written, or would replace something else.
    """
    if len(folders) < 2:
        raise UserError(f'{"".join(folders)}: one run alone; name two or more')
    _require_names({'.html': page, '.md': markdown, '.csv': csv})
    comparison = read_comparison(folders)
    comparison = replace(comparison, notes=(*notes, *comparison.notes))
    found = differences([run.settings for run in comparison.configured])
    texts = {page: comparison_page(comparison, found)}
    if markdown:
        texts[markdown] = as_markdown(comparison, found)
    if csv:
        texts[csv] = as_csv(comparison)
    for path, text in texts.items():
        folder, name = os.path.split(os.path.abspath(path))
        write_files(folder, {name: encode_page(text, MOST_BYTES)})
    return f'{as_text(comparison, found)}\n\nwritten: {", ".join(texts)}'


def _require_names(files: Mapping[str, str | None]) -> None:
    """Raise where a file has another suffix than its kind: it may be a run's."""
    for suffix, path in files.items():
        if path and not path.lower().endswith(suffix):
            raise UserError(
                f'{path}: would be replaced; call what is to be written *{suffix}'
            )
