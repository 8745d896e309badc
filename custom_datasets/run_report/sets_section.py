"""The part of the page that holds the sets, and the sources of images, side by side."""

from collections.abc import Mapping
from typing import Any

from custom_datasets.evaluation.set_comparison import disagree
from custom_datasets.reporting.frame import Section
from custom_datasets.reporting.layout import number, plural, section, table
from custom_datasets.reporting.markup import Content, Html, clipped, element
from custom_datasets.run_report.cells import decimal, estimate_cell, with_interval

_NAMES = {'top1': 'top-1', 'area_ap50': 'area-AP50'}
_MOST_ROWS = 40

_ITEMS = {
    'accuracy': 'right',
    'within_one': 'off by at most 1',
    'mean_absolute_error': 'mean absolute error',
    'expected_error': 'error of the expected value',
}


def sets_note(sets: Mapping[str, Any]) -> list[str]:
    """Say it where validation and test are apart far beyond their intervals.

    Args:
        sets: What ``compare_sets`` returned.
    """
    first = {row['set']: row for row in reversed(sets['rows'])}
    if len(first) < 2 or not disagree(first['validation'], first['test']):
        return []
    name = _NAMES[sets['metric']]
    said = ' against '.join(
        f'{decimal(row["estimate"]["value"])} ({_range(row["estimate"])}) on '
        f'{plural(row["images"], f"{which} image")}{_origin(row["sources"])}'
        for which, row in ((key, first[key]) for key in ('validation', 'test'))
    )
    return [
        f'Validation and test disagree far beyond their intervals: {name} {said}. What '
        'was chosen on validation may not hold there. It comes of images of another '
        'source, another mix of classes, or of images of the training set in '
        'validation (tools/check.py finds those).'
    ]


def sets_sections(content: Mapping[str, Any]) -> list[Section]:
    """Write the sections for which there is something to say.

    Args:
        content: What ``report.json`` holds.
    """
    found = []
    if len(content.get('sets', {}).get('rows', ())) > 1:
        found.append(Section('sets', 'Sets', _sets(content['sets'])))
    if content.get('attributes'):
        found.append(Section('attributes', 'Attributes', _attributes(content)))
    return found


def attributes_sentence(row: Mapping[str, Any]) -> str:
    """Say in a sentence how far an attribute is right."""
    text = f'{row["name"]}: right for {with_interval(row["accuracy"])}'
    if 'mean_absolute_error' not in row:
        return f'{text}.'
    return (
        f'{text}, off by at most 1 for {decimal(row["within_one"]["value"])}; the mean '
        f'absolute error is {with_interval(row["mean_absolute_error"])}.'
    )


def _sets(sets: Mapping[str, Any]) -> Html:
    rows: list[list[Content]] = [
        [
            row['set'],
            element('td', clipped(', '.join(row['sources']), 80), class_='words'),
            number(row['images']),
            estimate_cell(row['estimate']),
        ]
        for row in sets['rows'][:_MOST_ROWS]
    ]
    return section(
        'sets',
        'Sets and sources',
        table(
            'How far what holds on one set holds on another. A source is what '
            'sources.txt in the folder of the data calls it.',
            ['Set', 'source', 'images', _NAMES[sets['metric']]],
            rows,
        ),
    )


def _attributes(content: Mapping[str, Any]) -> Html:
    rows: list[list[Content]] = [
        [
            clipped(f'{row["name"]}: {text}', 80),
            number(with_interval(row[item])),
        ]
        for row in content['attributes']
        for item, text in _ITEMS.items()
        if item in row
    ]
    return section(
        'attributes',
        'Attributes',
        table(
            'What classes stand for, each by itself. Errors are in the unit of the '
            "attribute's values; the expected value weighs all classes by their "
            'probability.',
            ['', f'value and {content["interval"]["level"]:.0%} interval'],
            rows,
        ),
    )


def _range(estimate: Mapping[str, float]) -> str:
    return f'{estimate["low"]:.3f} to {estimate["high"]:.3f}'


def _origin(sources: list[str]) -> str:
    return f', of {clipped(", ".join(sources), 80)}' if sources else ''
