"""A detector's page: how good it is, of each class, and at which threshold."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.data.decode import decode
from custom_datasets.files import Image as Pixels
from custom_datasets.pages.cells import estimate_cell, not_shown, worst_fact
from custom_datasets.pages.charts import Axis, Dot, Line, lines, share_bar
from custom_datasets.pages.kit import (
    MOST_CLASSES,
    NOTHING,
    Content,
    Html,
    Section,
    breakable,
    class_name,
    class_styles,
    clipped,
    decimal,
    element,
    figure,
    heat_cell,
    interval,
    legend,
    number,
    plural,
    section,
    table,
)
from custom_datasets.pages.pictures import (
    MOST_BOXES,
    Outline,
    Picture,
    draw_picture,
    make_picture,
)
from custom_datasets.pages.summaries import (
    KINDS,
    class_filter,
    main_error,
    threshold_source,
    worst_class_of_detection,
)

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


WORST, BEST, DOUBTS = 8, 4, 24
"""How many of each are shown."""

_SIDE, _CROP_SIDE = 480, 300
_LEAST_CROP = 120
_IN_LEGEND = 20


def images_section(report: Report, styles: Mapping[str, str]) -> list[Section]:
    """Show the worst and the best images, truth and prediction side by side."""
    ranked = report['images_ranked']
    threshold = decimal(ranked['threshold'])
    text = (
        f'Left what is annotated, right what is predicted from {threshold} on. Thick '
        'lines are errors: left objects that are missed or taken for another class, '
        'right boxes that are false or of the wrong class. Dashed objects do not count.'
    )
    parts = []
    for name, title, rows in (
        ('worst', 'Worst images', ranked['worst'][:WORST]),
        ('best', 'Best images', ranked['best'][:BEST]),
    ):
        if rows:
            body = section(
                name,
                title,
                element('p', text) if name == 'worst' else None,
                legend(list(styles.items())[:_IN_LEGEND]),
                [_side_by_side(_deployed(row, ranked), styles) for row in rows],
            )
            parts.append(Section(name, title, body))
    return parts


def doubts_section(report: Report, styles: Mapping[str, str]) -> Html:
    """Show annotations that the model contradicts most surely."""
    doubts = report['label_doubts']
    if not doubts:
        text = 'Nowhere does the model contradict the labels while it is sure.'
        return section('doubts', 'Labels to look at', element('p', text))
    rest = len(doubts) - DOUBTS
    return section(
        'doubts',
        'Labels to look at',
        element(
            'p',
            'Where the model contradicts the labels and is sure of it. Either it is '
            'wrong, or the label is; look at each and correct those that are.',
        ),
        element(
            'div',
            [_doubt(one, styles) for one in doubts[:DOUBTS]],
            class_='tiles large',
        ),
        element('p', 'report.json lists more.') if rest > 0 else None,
    )


def _deployed(row: Report, ranked: Report) -> Report:
    shown = [box for box in row['predicted'] if box['score'] >= ranked['threshold']]
    return {**row, 'predicted': shown}


def _side_by_side(row: Report, styles: Mapping[str, str]) -> Html:
    name = clipped(os.path.basename(row['path']), 60)
    right = plural(row['correct'], 'object')
    text = (
        f'{right} right, {row["missed"]:,} missed, {row["false"]:,} false, '
        f'{row["confused"]:,} of the wrong class; F1 {decimal(row["f1"])}'
    )
    pixels = _read(row['path'])
    if pixels is None:
        pair = element('p', 'The image cannot be shown.', class_='refusal')
    else:
        sides = [
            _figure(
                make_picture(pixels, _outlines(row[key], styles), _SIDE), what, name
            )
            for key, what in (('truth', 'annotated'), ('predicted', 'predicted'))
        ]
        frame = min(max(pixels.shape[1] / pixels.shape[0], 0.75), 1.8)
        pair = element('div', sides, class_='sides', style=f'--frame: {frame:.2f}')
    return element(
        'article',
        element('h3', name),
        element('p', text, class_='hint'),
        pair,
    )


def _figure(picture: Picture, what: str, name: str) -> Html:
    caption: list[Content] = [element('span', what)]
    if picture.boxes > MOST_BOXES:
        caption.append(element('small', 'not all boxes are drawn'))
    return element(
        'figure',
        draw_picture(picture, f'{name}, {what}'),
        element('figcaption', caption),
    )


def _outlines(boxes: Sequence[Report], styles: Mapping[str, str]) -> list[Outline]:
    """Return outlines with errors last, so that they lie above the others."""
    found = []
    for one in boxes:
        name, verdict = one['label'], one['verdict']
        x1, y1, x2, y2 = one['box']
        title = name if one.get('score') is None else f'{name} {decimal(one["score"])}'
        style = f'{styles.get(name, "unknown")} verdict-{verdict}'
        found.append(Outline((x1, y1, x2, y2), title, style))
    # Where there are too many to draw, errors are what must not be left out.
    wrong = [
        one for one in found if one.style.split('-')[-1] not in ('found', 'correct')
    ]
    right = [one for one in found if one.style.split('-')[-1] in ('found', 'correct')]
    return right[: max(MOST_BOXES - len(wrong), 0)] + wrong


def _doubt(one: Report, styles: Mapping[str, str]) -> Html:
    name = clipped(os.path.basename(one['path']), 60)
    caption = [
        element('b', breakable(name)),
        element('span', clipped(one['sentence'], 200)),
    ]
    pixels = _read(one['path'])
    if pixels is None:
        text = element('p', 'The image cannot be shown.', class_='refusal')
        return element('figure', text, element('figcaption', caption))
    left, top, right, bottom = _around(one['box'], *pixels.shape[1::-1])
    outlines = []
    # What is annotated below, what the model contradicts it with above.
    for key, label, verdict in (
        ('annotated_box', one['annotated'], 'found'),
        ('box', one['predicted'] or one['annotated'], 'missed'),
    ):
        if one[key]:
            x1, y1, x2, y2 = one[key]
            style = f'{styles.get(label, "unknown")} verdict-{verdict}'
            box = (x1 - left, y1 - top, x2 - left, y2 - top)
            outlines.append(Outline(box, label or '', style))
    picture = make_picture(pixels[top:bottom, left:right], outlines, _CROP_SIDE)
    return element(
        'figure',
        draw_picture(picture, f'{name}: {one["sentence"]}'),
        element('figcaption', caption),
    )


def _around(box: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Return a square around a box, ``xyxy``, as far as the image reaches."""
    x1, y1, x2, y2 = box
    side = max(2.5 * max(x2 - x1, y2 - y1), _LEAST_CROP)
    left = int(min(max((x1 + x2 - side) / 2, 0), max(width - side, 0)))
    top = int(min(max((y1 + y2 - side) / 2, 0), max(height - side, 0)))
    return left, top, int(min(left + side, width)), int(min(top + side, height))


def _read(path: str) -> Pixels | None:
    try:
        with open(path, 'rb') as file:
            return decode(file.read())[1]
    except OSError:
        return None


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


_IN_CHARTS = 12


def detection_sections(report: Report) -> list[Section]:
    """Write a detector's page.

    Args:
        report: The content of ``report.json``. Nothing else is shown, but the
            images that it names.
    """
    styles = class_styles(report['classes'])
    shown = _most_objects(report)
    return [
        Section('classes', 'Classes', _classes(report, styles)),
        Section('threshold', 'Threshold', threshold_section(report, styles)),
        Section('curves', 'Curves', curves_section(report, styles, shown)),
        Section('errors', 'Errors', errors_section(report, styles, shown)),
        Section('confusion', 'Confusion', confusion_section(report, styles)),
        Section('sizes', 'Sizes', sizes_section(report, styles)),
        *images_section(report, styles),
        Section('doubts', 'Labels to look at', doubts_section(report, styles)),
    ]


def detection_facts(report: Report) -> list[tuple[str, str, str]]:
    """Return the page's main numbers, for :func:`layout.facts`."""
    overall, worst = report['overall'], worst_class_of_detection(report)
    named = [] if worst is None else [worst_fact(report['per_class'][worst]['name'])]
    return [
        ('area-AP50', decimal(overall['area_ap50']['value']), ''),
        ('COCO AP', decimal(overall['coco']['AP']['value']), ''),
        ('threshold', decimal(report['thresholds']['overall']['threshold']), ''),
        *named,
        ('images', f'{report["images"]:,}', ''),
        ('objects', f'{report["objects"]:,}', ''),
    ]


def _most_objects(report: Report) -> list[int]:
    """Return the classes that charts have: those with most objects, in order."""
    rows = report['per_class']
    order = sorted(range(len(rows)), key=lambda index: -rows[index]['objects'])
    return sorted(order[:_IN_CHARTS])


def _classes(report: Report, styles: Mapping[str, str]) -> Html:
    rows: list[list[Content]] = [
        [
            class_name(row['name'], styles[row['name']], _objects(row['objects'])),
            estimate_cell(row['area_ap50'], styles[row['name']]),
            estimate_cell(row['coco_ap'], styles[row['name']]),
        ]
        for row in report['per_class'][:MOST_CLASSES]
    ]
    overall, sizes = report['overall'], report['sizes']['ranges']
    known = report['interval']
    percent = f'{known["level"]:.0%}'
    return section(
        'classes',
        'Classes',
        element(
            'p',
            'area-AP50 is the area under the precision-recall curve where a box '
            'counts as right from IoU 0.5 on (Pascal VOC since 2010); COCO AP is the '
            'mean over IoU 0.5 to 0.95, so it asks for tight boxes too.',
        ),
        table(
            f'Bars, 0 to 1: where {percent} of {known["resamples"]:,} resamples of the '
            f'{report["images"]:,} images lie. Classes whose bars overlap widely '
            'cannot be told apart.',
            ['Class', 'area-AP50', 'COCO AP'],
            rows,
            [
                ['All', _objects(report['objects'])],
                estimate_cell(overall['area_ap50']),
                estimate_cell(overall['coco']['AP']),
            ],
        ),
        not_shown(len(report['per_class'])),
        table(
            'All classes, as COCO reports them.',
            ['', 'value', f'{percent} interval'],
            [
                [
                    f'AP, {name} objects' if name in sizes else name,
                    number(decimal(one['value'])),
                    number(interval(one)),
                ]
                for name, one in overall['coco'].items()
            ],
        ),
    )


def _objects(count: int) -> Html:
    return element('small', plural(count, 'object'), class_='below')
