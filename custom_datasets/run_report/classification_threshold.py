"""From which confidence on a classifier is to be believed."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from custom_datasets.reporting.layout import figure, number, section, table
from custom_datasets.reporting.lines import Axis, Dot, Line, lines
from custom_datasets.reporting.markup import Content, Html, element
from custom_datasets.run_report.cells import decimal, estimate_cell
from custom_datasets.run_report.classification_summary import threshold_text
from custom_datasets.run_report.classification_use import threshold_code

Report = Mapping[str, Any]


def threshold_section(report: Report) -> Html:
    """Say from which confidence on to answer."""
    found = report['thresholds']
    rows = found['goals']
    drawn = figure(
        'Accuracy by coverage',
        'On the test set: the fewer images are answered, the surest first, the more '
        'of the answers are right. Dots: the thresholds of the table.',
        lines(
            [
                Line(
                    'accuracy of the answers',
                    '',
                    [(one['coverage'], one['accuracy']) for one in found['curve']],
                )
            ],
            Axis('share of images answered'),
            Axis('accuracy of the answers'),
            'Accuracy of the answers by share of images answered',
            [
                Dot(
                    f'from {threshold_text(row["threshold"])} on',
                    '',
                    row['coverage']['value'],
                    row['accuracy']['value'],
                )
                for row in rows
                if row['threshold'] is not None and row['images']
            ],
        ),
    )
    chart = element('div', drawn, class_='figures')
    if not rows:
        text = (
            'No threshold is chosen: that takes predictions on a validation set that '
            'is not the test set.'
        )
        return section(
            'threshold',
            'Threshold to deploy',
            element('p', text, class_='refusal'),
            chart,
        )
    return section(
        'threshold',
        'Threshold to deploy',
        element(
            'p',
            'Where a wrong answer is worse than none, answer only from a confidence on '
            'and let somebody look at the rest. Each threshold is the lowest that '
            'reaches its goal on the validation set; the test set shows what it is '
            'worth on new images. It is for the confidence as the model gives it, '
            'without a temperature.',
        ),
        table(
            'On the test set.',
            ['Goal on validation', 'threshold', 'answers', 'answered', 'accuracy'],
            _goal_rows(rows),
        ),
        chart,
        *threshold_code(row['threshold'] for row in rows),
    )


def _goal_rows(rows: Sequence[Report]) -> list[list[Content]]:
    """Write a row for each threshold, with the goals that it reaches."""
    written: list[list[Content]] = []
    for _, alike in groupby(rows, key=lambda row: row['threshold']):
        goals = list(alike)
        texts = [decimal(row['goal']) for row in (goals[0], goals[-1])]
        goal = ' to '.join(dict.fromkeys(texts))
        written.append([f'{goal} right', *_goal_cells(goals[0])])
    return written


def _goal_cells(row: Report) -> list[Html]:
    if row['threshold'] is None:
        return [number('none reaches it')]
    threshold = threshold_text(row['threshold']) if row['threshold'] else 'none needed'
    return [
        number(threshold),
        number(row['images']),
        estimate_cell(row['coverage']),
        estimate_cell(row['accuracy']),
    ]
