"""A detector's curves: precision, recall and F1, by threshold and by class."""

from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.reporting.layout import figure, legend, section
from custom_datasets.reporting.lines import Axis, Dot, Line, lines
from custom_datasets.reporting.markup import Html, element
from custom_datasets.run_report.cells import decimal

Report = Mapping[str, Any]


def curves_section(
    report: Report, styles: Mapping[str, str], shown: Sequence[int]
) -> Html:
    """Draw the curves of some classes.

    Args:
        report: The content of ``report.json``.
        styles: Class of the style sheet for each class name.
        shown: The classes.
    """
    names = report['classes']
    curves = report['curves']
    scores = curves['thresholds']
    points = report['thresholds']['per_class']
    found = [(names[i], styles[names[i]], curves['per_class'][i]) for i in shown]
    overall = curves['overall']
    keyed = [(name, style) for name, style, _ in found]
    rest = len(names) - len(shown)
    most = f'The {len(shown)} classes with most objects. ' if rest > 0 else ''
    return section(
        'curves',
        'Curves',
        legend(keyed),
        element(
            'div',
            figure(
                'Precision and recall',
                f'{most}The area under a curve is area-AP50 of its class: the further '
                'it reaches to the top right, the better.',
                lines(
                    [
                        Line(
                            name,
                            style,
                            _points(c['pr']['recall'], c['pr']['precision']),
                        )
                        for name, style, c in found
                    ],
                    Axis('recall'),
                    Axis('precision'),
                    'Precision by recall, a curve for each class',
                ),
            ),
            figure(
                'F1 by threshold',
                'Dots: the thresholds that were chosen. A flat top means that the '
                'choice does not matter much; the dashed line is all classes together.',
                lines(
                    [
                        Line('all', 'soft dashed', _points(scores, overall['f1'])),
                        *(
                            Line(name, style, _points(scores, c['f1']))
                            for name, style, c in found
                        ),
                    ],
                    Axis('threshold'),
                    Axis('F1'),
                    'F1 by threshold, a curve for each class',
                    [
                        Dot(
                            f'{names[i]}: {decimal(points[i]["threshold"])}',
                            styles[names[i]],
                            points[i]['threshold'],
                            points[i]['f1']['value'],
                        )
                        for i in shown
                        if None
                        not in (points[i]['threshold'], points[i]['f1']['value'])
                    ],
                ),
            ),
            figure(
                'Precision and recall by threshold',
                'All classes together. Solid: precision, of the boxes shown. Dashed: '
                'recall, of the objects.',
                lines(
                    [
                        Line(
                            'recall', 'soft dashed', _points(scores, overall['recall'])
                        ),
                        Line('precision', '', _points(scores, overall['precision'])),
                    ],
                    Axis('threshold'),
                    Axis('share'),
                    'Precision and recall by threshold',
                ),
            ),
            class_='figures',
        ),
    )


def _points(
    xs: Sequence[float | None], ys: Sequence[float | None]
) -> list[tuple[float, float]]:
    nan = float('nan')
    return [
        (nan if x is None else x, nan if y is None else y)
        for x, y in zip(xs, ys, strict=True)
    ]
