"""The part of the page on the run itself: what was run, when, and with what."""

from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.reporting.layout import number, section, table
from custom_datasets.reporting.markup import Content, Html, clipped, element
from custom_datasets.run_report.cells import decimal

_STOCK_ROWS = 40


def about_section(content: Mapping[str, Any]) -> Html:
    """Write where the numbers are from, and those of the config's evaluators."""
    run = content['run']
    rows: list[list[Content]] = []

    def add(name: str, value: Any) -> None:
        if value not in (None, ''):
            rows.append([name, element('td', clipped(str(value), 300), class_='words')])

    add('config', run['config'])
    add('--cfg-options', ' '.join(f'{k}={v}' for k, v in run['options'].items()))
    add('checkpoint', run['checkpoint'])
    add('epoch', run['epoch'])
    for split, path in run['predictions'].items():
        add(f'predictions, {split}', path)
    add('date', run['date'])
    add('versions', ', '.join(f'{k} {v}' for k, v in run['versions'].items()))
    return section(
        'about',
        'About this run',
        table('How the numbers came about.', ['', ''], rows),
        _stock_table(content['stock_metrics']),
    )


def _stock_table(metrics: Mapping[str, Mapping[str, Any]]) -> Html | None:
    if not metrics:
        return None
    splits = list(metrics)
    names = [
        name
        for name, value in metrics[splits[0]].items()
        if isinstance(value, (int, float))
    ]
    rows: list[list[Content]] = [
        [
            clipped(name, 80),
            *(number(decimal(metrics[split].get(name))) for split in splits),
        ]
        for name in names[:_STOCK_ROWS]
    ]
    heads: Sequence[str] = ['', *splits]
    return table("What the config's own evaluators say.", heads, rows)
