"""The threshold to deploy: what it is, what it gives, how to use it."""

from collections.abc import Mapping
from typing import Any

from custom_datasets.reporting.layout import class_name, number, plural, section, table
from custom_datasets.reporting.markup import Content, Html, element
from custom_datasets.run_report.cells import (
    MOST_CLASSES,
    decimal,
    estimate_cell,
    interval,
    not_shown,
)
from custom_datasets.run_report.deployment import class_filter
from custom_datasets.run_report.detection_summary import threshold_source

Report = Mapping[str, Any]


def threshold_section(report: Report, styles: Mapping[str, str]) -> Html:
    """Say which threshold to take, and what it gives on the test set.

    Args:
        report: The content of ``report.json``.
        styles: Class of the style sheet for each class name.
    """
    found = report['thresholds']
    point = found['overall']
    rows = [
        _operating_row(class_name(row['name'], styles[row['name']]), one)
        for row, one in zip(report['per_class'], found['per_class'], strict=True)
    ]
    together = {'threshold': None, **found['together']}
    return section(
        'threshold',
        'Threshold to deploy',
        element(
            'p',
            'Show boxes from a score of ',
            element('b', decimal(point['threshold'])),
            f' on ({threshold_source(report)}). On the test set, '
            f'{decimal(point["precision"]["value"])} of the boxes shown are then right '
            f'(precision) and {decimal(point["recall"]["value"])} of the objects are '
            f'found (recall): {plural(point["found"], "object")} found, '
            f'{point["false"]:,} false alarms, {point["missed"]:,} missed.',
        ),
        element('p', _one_or_many(point, found['together'])),
        element(
            'p',
            'A false alarm costs you more than a miss? Take a higher one; the curves '
            'below show what that gives.',
        ),
        table(
            f'{found["rule"]} A box is right from IoU {found["iou"]:g} on. Measured on '
            'the test set.',
            ['Class', 'threshold', 'precision', 'recall', 'F1'],
            [
                _operating_row('One for all classes', point),
                _operating_row('Each class at its own', together),
                *rows[:MOST_CLASSES],
            ],
        ),
        not_shown(len(rows)),
        element('h3', 'How to use it'),
        _how_to(report),
    )


def _one_or_many(one: Report, many: Report) -> str:
    """Say whether a threshold a class is worth it."""
    single, each = one['f1']['value'], many['f1']['value']
    if single is None or each is None:
        return 'F1 is not defined here.'
    text = (
        f'With a threshold for each class F1 is {decimal(each)}, with one for all '
        f'{decimal(single)} ({interval(one["f1"])})'
    )
    high = one['f1']['high']
    if high is not None and each > high:
        return f'{text}: one for each class is worth it.'
    return f'{text}: one for all is enough.'


def _operating_row(name: Content, point: Report) -> list[Content]:
    counts = ', '.join(f'{point[key]:,} {key}' for key in ('found', 'false', 'missed'))
    return [
        [name, element('small', counts, class_='below')],
        *(number(decimal(value)) for value in _values(point)),
        estimate_cell(point['f1']),
    ]


def _values(point: Report) -> list[float | None]:
    return [point['threshold'], point['precision']['value'], point['recall']['value']]


def _how_to(report: Report) -> list[Html]:
    point = report['thresholds']['overall']
    score = decimal(point['threshold'])
    setting = report['threshold_setting']
    steps = [
        element('p', 'When you show or save predictions of new images:'),
        _code(
            f"DetInferencer('CONFIG', 'CHECKPOINT')('IMAGE', pred_score_thr={score})"
        ),
    ]
    if setting:
        steps += [
            element(
                'p',
                'Or once for all in the config that you deploy. Leave it out where you '
                'evaluate: AP needs the boxes of low scores too.',
            ),
            _code(f'--cfg-options {setting}={score}'),
        ]
    if len(report['classes']) > 1:
        names = [row['name'] for row in report['per_class'][:MOST_CLASSES]]
        scores = [row['threshold'] for row in report['thresholds']['per_class']]
        steps.append(
            element(
                'details',
                element('summary', 'With a threshold for each class'),
                _code(class_filter(dict(zip(names, scores, strict=False)))),
            )
        )
    return steps


def _code(text: str) -> Html:
    return element('pre', element('code', text), tabindex='0')
