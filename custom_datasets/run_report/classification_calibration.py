"""Calibration: is a classifier as often right as it is sure?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from custom_datasets.reporting.charts import columns
from custom_datasets.reporting.drawing import Tick
from custom_datasets.reporting.layout import figure, legend, number, section, table
from custom_datasets.reporting.lines import Axis, Dot, Line, lines
from custom_datasets.reporting.markup import Html, element
from custom_datasets.run_report.cells import (
    Estimate,
    decimal,
    estimate_cell,
    interval,
    with_interval,
)
from custom_datasets.run_report.classification_summary import (
    calibration_sentence,
    temperature_helps,
    temperature_sentence,
)
from custom_datasets.run_report.classification_use import temperature_code

_BEFORE, _AFTER = 'c0', 'c1'

Report = Mapping[str, Any]


def calibration_section(report: Report) -> Html:
    """Compare how sure it is with how often it is right."""
    found = report['calibration']
    before, after = found['before'], found['after']
    named = [('as it is', _BEFORE)]
    curves = [
        Line('calibrated', 'soft dashed', [(0, 0), (1, 1)]),
        Line('as it is', _BEFORE, _points(before['curve'])),
    ]
    if after:
        named.append(('with the temperature', _AFTER))
        curves.append(Line('with the temperature', _AFTER, _points(after['curve'])))
    return section(
        'calibration',
        'Calibration',
        element('p', calibration_sentence(report)),
        element('p', temperature_sentence(report)),
        legend(named),
        element(
            'div',
            figure(
                'Reliability',
                'How often it is right, by how sure it is. On the dashed line both '
                'agree; below it is too sure.',
                lines(
                    curves,
                    Axis('confidence'),
                    Axis('accuracy'),
                    'Accuracy by confidence',
                    _dots(before['curve'], _BEFORE),
                ),
            ),
            figure(
                'How sure it is',
                f'Images in {found["bins"]} bins of equal width over the confidence; '
                'bins of few images say little in the reliability chart.',
                columns(
                    [row['images'] for row in before['curve']],
                    [Tick(found['bins'] * n / 5, f'{n / 5:.1f}') for n in range(6)],
                    'confidence',
                    'images',
                    'Images by confidence',
                ),
            ),
            class_='figures',
        ),
        _measures(before, after),
        _zeros(found),
        element('details', element('summary', 'The bins'), _bins(before['curve'])),
        temperature_code(found['temperature']['value'])
        if temperature_helps(report)
        else None,
    )


def _measures(before: Report, after: Report | None) -> Html:
    shown = [('as it is', before)]
    if after:
        shown.append(('with the temperature', after))
    rows: list[tuple[str, Callable[[Report], Html]]] = [
        ('Expected calibration error', lambda one: _known(one['ece'])),
        ('the same by chance, up to', lambda one: _plain(one['chance']['high'])),
        ('Negative log likelihood', lambda one: _known(one['nll'])),
        ('Mean confidence', lambda one: _plain(one['confidence'])),
    ]
    return table(
        'The calibration error is the distance of accuracy from confidence, averaged '
        'over the images (Guo et al., ICML 2017). On few images it comes out too '
        'large; its interval allows for that, so it may lie below it.',
        ['', *(name for name, _ in shown)],
        [[name, *(cell(one) for _, one in shown)] for name, cell in rows],
    )


def _known(estimate: Estimate) -> Html:
    return number(decimal(estimate['value']), element('small', interval(estimate)))


def _plain(value: float | None) -> Html:
    return number(decimal(value))


def _bins(curve: Sequence[Report]) -> Html:
    return table(
        'As it is. A bin is above its first number, up to the second.',
        ['Confidence', 'images', 'mean confidence', 'accuracy'],
        [
            [
                f'{decimal(row["low"])} to {decimal(row["high"])}',
                number(row['images']),
                number(decimal(row['confidence'])),
                estimate_cell(row['accuracy']),
            ]
            for row in curve
            if row['images']
        ],
    )


def _zeros(found: Report) -> Html | None:
    if not found['zeros']:
        return None
    return element(
        'p',
        f'Of {found["zeros"]:,} images the true class has probability 0, which counts '
        f'as {found["lowest"]:.1e} in the likelihood.',
        class_='hint',
    )


def _points(curve: Sequence[Report]) -> list[tuple[float, float]]:
    return [
        (row['confidence'], row['accuracy']['value']) for row in curve if row['images']
    ]


def _dots(curve: Sequence[Report], style: str) -> list[Dot]:
    return [
        Dot(
            f'{row["images"]:,} images: confidence {decimal(row["confidence"])}, '
            f'accuracy {with_interval(row["accuracy"])}',
            style,
            row['confidence'],
            row['accuracy']['value'],
        )
        for row in curve
        if row['images']
    ]
