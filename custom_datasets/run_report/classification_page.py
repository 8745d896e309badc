"""A classifier's page: how good it is, of each class, and how far to trust it."""

from collections.abc import Mapping
from typing import Any

from custom_datasets.reporting.frame import Section
from custom_datasets.reporting.gather import class_styles
from custom_datasets.reporting.layout import (
    class_name,
    heat_cell,
    number,
    section,
    table,
)
from custom_datasets.reporting.markup import Content, Html, clipped, element
from custom_datasets.run_report.cells import (
    MOST_CLASSES,
    decimal,
    estimate_cell,
    not_shown,
    worst_fact,
)
from custom_datasets.run_report.classification_calibration import calibration_section
from custom_datasets.run_report.classification_images import (
    looks_section,
    mistakes_section,
)
from custom_datasets.run_report.classification_summary import worst_class
from custom_datasets.run_report.classification_threshold import threshold_section
from custom_datasets.run_report.explanations import Explanations

PAGE_STYLE = """
.trios { display: grid; gap: 28px 36px; margin: 0 0 28px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); }
.trio { display: grid; gap: 8px 12px;
  grid-template-columns: repeat(3, minmax(0, 1fr)); }
.trio figcaption { font-size: .78rem; line-height: 1.35; }
.matrix th, .matrix td { padding: 4px 6px; }
.matrix th:first-child { padding-left: 0; }
section > h3 { margin: 20px 0 8px; }
"""
"""What these sections need beside the style sheet of all pages."""

_IN_MATRIX = 100
_NAMED_COLUMNS = 12

Report = Mapping[str, Any]


def classification_sections(
    report: Report, explained: Explanations | None = None
) -> list[Section]:
    """Write a classifier's page.

    Args:
        report: The content of ``report.json``. Nothing else is shown, but the
            images that it names.
        explained: Where the classifier looks; None without a checkpoint.
    """
    styles = class_styles(report['classes'])
    return [
        Section('classes', 'Classes', _classes(report, styles)),
        Section('confusion', 'Confusion', _confusion(report, styles)),
        Section('calibration', 'Calibration', calibration_section(report)),
        Section('threshold', 'Threshold', threshold_section(report)),
        Section('mistakes', 'Mistakes', mistakes_section(report, explained)),
        Section('looks', 'Where it looks', looks_section(report, explained)),
    ]


def classification_facts(report: Report) -> list[tuple[str, str, str]]:
    """Return the page's main numbers, for :func:`layout.facts`."""
    worst = worst_class(report)
    return [
        ('top-1', decimal(report['overall']['top1']['value']), ''),
        ('macro F1', decimal(report['overall']['macro_f1']['value']), ''),
        *([worst_fact(worst['name'])] if worst else []),
        ('images', f'{report["images"]:,}', ''),
        ('mistakes', f'{report["mistakes"]["count"]:,}', ''),
        ('classes', f'{len(report["classes"]):,}', ''),
    ]


def _classes(report: Report, styles: Mapping[str, str]) -> Html:
    known, overall = report['interval'], report['overall']
    rows: list[list[Content]] = [
        [
            class_name(row['name'], styles[row['name']]),
            number(row['images']),
            number(row['predicted']),
            *(
                estimate_cell(row[key], styles[row['name']])
                for key in ('precision', 'recall', 'f1')
            ),
        ]
        for row in report['per_class'][:MOST_CLASSES]
    ]
    means = [('Top-1', 'top1'), ('Balanced', 'balanced_accuracy')]
    return section(
        'classes',
        'Classes',
        element(
            'p',
            'Recall: the share of a class that is found. Precision: the share of what '
            'is taken for it that is right. F1 weighs both; macro F1 is the mean over '
            'classes, however many images each has, and balanced accuracy that of '
            'recall.',
        ),
        table(
            'Top-1 is the share of all images that is right.',
            ['', 'value'],
            [
                *([name, estimate_cell(overall[key])] for name, key in means),
                ['Macro F1', estimate_cell(overall['macro_f1'])],
            ],
        ),
        table(
            f'Bars, 0 to 1: where {known["level"]:.0%} of {known["resamples"]:,} '
            f'resamples of the {report["images"]:,} images lie; where all or none are '
            'right, the exact bound for so few images. Classes whose bars overlap '
            'widely cannot be told apart.',
            ['Class', 'images', 'predicted', 'precision', 'recall', 'F1'],
            rows,
        ),
        not_shown(len(report['per_class'])),
    )


def _confusion(report: Report, styles: Mapping[str, str]) -> Html:
    frequent = report['confusion']['frequent']
    if not frequent:
        text = element('p', 'No image is taken for another class.')
        return section('confusion', 'Confusion', text)
    rows: list[list[Content]] = [
        [
            class_name(pair['true'], styles[pair['true']]),
            element('td', class_name(pair['predicted'], styles[pair['predicted']])),
            number(pair['images']),
            number(decimal(pair['share'])),
        ]
        for pair in frequent
    ]
    return section(
        'confusion',
        'Confusion',
        _matrix(report, styles),
        table(
            'What is most often taken for what.',
            ['True', 'taken for', 'images', 'share of the class'],
            rows,
        ),
    )


def _matrix(report: Report, styles: Mapping[str, str]) -> Html:
    names, counts = report['classes'], report['confusion']['counts']
    if len(names) > _IN_MATRIX:
        text = f'{len(names):,} classes are too many to show; report.json has them all.'
        return element('p', text)
    numbered = len(names) > _NAMED_COLUMNS
    heads = [str(n) for n in range(1, len(names) + 1)] if numbered else names
    rows: list[list[Content]] = []
    for true, row in enumerate(counts):
        total = max(sum(row), 1)
        prefix = f'{true + 1} ' if numbered else ''
        cells = [
            heat_cell(f'{count:,}', count / total, '' if true == place else 'wrong')
            if count
            else element('td')
            for place, count in enumerate(row)
        ]
        name = clipped(names[true], 30)
        rows.append([class_name(f'{prefix}{name}', styles[names[true]]), *cells])
    text = 'Images by true class (rows) and predicted class (columns'
    text += ', by number)' if numbered else ')'
    return element(
        'div',
        table(
            f'{text}; the darker, the larger its share of the row.', ['', *heads], rows
        ),
        class_='matrix',
    )
