"""What a detector does wrong: kinds of errors, confusions, sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.reporting.charts import share_bar
from custom_datasets.reporting.layout import (
    class_name,
    heat_cell,
    number,
    plural,
    section,
    table,
)
from custom_datasets.reporting.markup import Content, Html, clipped, element
from custom_datasets.run_report.cells import MOST_CLASSES, NOTHING, decimal, interval
from custom_datasets.run_report.detection_summary import KINDS, main_error

_IN_MATRIX = 20
_CONFUSIONS = 30
_SPLIT_CLASSES = 6

_REMEDIES = {
    'missed': 'More examples of such objects, a larger image scale or smaller anchors '
    'may help; tools/check.py tells which boxes no anchor reaches.',
    'background': 'First look at the labels below: some of these may be objects that '
    'nobody annotated. Images without objects help against the rest.',
    'localisation': 'Look whether boxes are drawn alike everywhere; anchors that fit '
    'better (tools/check.py) and a longer training help too.',
    'class': 'Look at the confusion below: the classes may need more examples, or a '
    'clearer line between them in the labels.',
    'both': 'These are often objects that lie close together or look like parts of '
    'another; look at the worst images below.',
    'duplicate': "Lower the IoU threshold of NMS (nms.iou_threshold in the model's "
    'test_cfg).',
}

Report = Mapping[str, Any]


def errors_section(
    report: Report, styles: Mapping[str, str], shown: Sequence[int]
) -> Html:
    """Say what goes wrong, how often, and what it costs.

    Args:
        report: The content of ``report.json``.
        styles: Class of the style sheet for each class name.
        shown: The classes that have columns, if they are few.
    """
    errors, threshold = report['errors'], report['confusion']['threshold']
    names = report['classes']
    columns = list(shown) if len(names) <= _SPLIT_CLASSES else []
    most = max((row['dap'] or 0.0 for row in errors['types']), default=0.0)
    rows: list[list[Content]] = []
    for row in sorted(errors['types'], key=lambda row: -(row['dap'] or 0.0)):
        name, meaning = KINDS[row['kind']]
        cost = (row['dap'] or 0.0) / most if most else 0.0
        rows.append(
            [
                [element('b', name), element('small', meaning, class_='below')],
                number(row['deployed']),
                number(decimal(row['dap']), share_bar(cost, '')),
                *(number(decimal(row['per_class'][i]['dap'])) for i in columns),
            ]
        )
    return section(
        'errors',
        'What goes wrong',
        element('p', _advice(report)),
        table(
            f'Shown: how many there are at the threshold {decimal(threshold)}. AP '
            f'cost: what area-AP50, now {decimal(errors["area_ap50"])}, would gain if '
            'all errors of the kind were put right, at any score, and nothing else; '
            f'costs do not add up. Too far off: IoU {errors["iou_background"]:g} to '
            f'{errors["iou_foreground"]:g}. After TIDE (Bolya et al., ECCV 2020).',
            ['Kind', 'shown', 'AP cost', *(names[i] for i in columns)],
            rows,
        ),
    )


def confusion_section(report: Report, styles: Mapping[str, str]) -> Html:
    """Show what is taken for what, at the threshold to deploy."""
    confusion = report['confusion']
    names, counts = confusion['names'], confusion['counts']
    text = (
        f'At the threshold {decimal(confusion["threshold"])}, from IoU '
        f'{confusion["iou"]:g} on. A row is what is annotated, a column what is '
        'predicted; the last column is missed objects, the last row false alarms.'
    )
    if len(names) - 1 > _IN_MATRIX:
        return section('confusion', 'Confusion', _confused_pairs(names, counts, text))
    rows: list[list[Content]] = []
    for index, row in enumerate(counts):
        total = max(sum(row), 1)
        cells = [
            heat_cell(f'{count:,}', count / total, '' if place == index else 'wrong')
            for place, count in enumerate(row)
        ]
        rows.append([_label(names, index, styles, 'nothing there'), *cells])
    heads = [*names[:-1], 'missed']
    return section(
        'confusion',
        'Confusion',
        element(
            'div',
            table(
                f'{text} The darker, the larger its share of the row.',
                ['', *heads],
                rows,
            ),
            class_='matrix',
        ),
    )


def sizes_section(report: Report, styles: Mapping[str, str]) -> Html:
    """Show how well small, medium and large objects are found."""
    sizes = report['sizes']
    ranges = sizes['ranges']
    named = list(zip(report['classes'], sizes['per_class'], strict=True))
    rows: list[list[Content]] = [
        [class_name(name, styles[name]), *(_size_cell(found[key]) for key in ranges)]
        for name, found in named[:MOST_CLASSES]
    ]
    return section(
        'sizes',
        'Size of objects',
        table(
            f'COCO AP, recall at the threshold {decimal(sizes["threshold"])}, and how '
            f'many there are. Medium: an area of {ranges["medium"][0]:,} to '
            f'{ranges["medium"][1]:,} pixels of the original image.',
            ['Class', *ranges],
            rows,
            ['All', *(_size_cell(sizes['overall'][key]) for key in ranges)],
        ),
    )


def _advice(report: Report) -> str:
    errors = report['errors']
    worst = main_error(errors)
    if worst is None:
        return 'No kind of error costs any AP.'
    name, meaning = KINDS[worst['kind']]
    text = (
        f'What costs most is {name}: {meaning}. Without it '
        f'area-AP50 would be {decimal(worst["dap"])} higher. '
    )
    return text + _REMEDIES[worst['kind']]


def _confused_pairs(names: Sequence[str], counts: Any, text: str) -> list[Html]:
    last = len(names) - 1
    pairs = sorted(
        (
            (count, i, j)
            for i, row in enumerate(counts)
            for j, count in enumerate(row)
            if i != j and count
        ),
        key=lambda pair: (-pair[0], pair[1:]),
    )
    rows: list[list[Content]] = [
        [
            clipped(names[i], 60) if i < last else 'nothing there',
            element('td', clipped(names[j], 60) if j < last else 'missed'),
            number(count),
        ]
        for count, i, j in pairs[:_CONFUSIONS]
    ]
    return [
        element('p', text),
        table(
            'The most frequent errors; report.json has the whole matrix.',
            ['Annotated', 'predicted', 'how often'],
            rows,
        ),
    ]


def _label(
    names: Sequence[str], index: int, styles: Mapping[str, str], rest: str
) -> Content:
    if index == len(names) - 1:
        return rest
    return class_name(names[index], styles[names[index]])


def _size_cell(one: Report) -> Html:
    if not one['objects']:
        return number(NOTHING)
    known = interval(one['ap'])
    return number(
        decimal(one['ap']['value']),
        element('small', known) if known else None,
        element('small', f'recall {decimal(one["recall"]["value"])}'),
        element('small', plural(one['objects'], 'object')),
    )
