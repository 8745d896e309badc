"""What a detector's page shows: how good it is, of each class, at which threshold."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from custom_datasets.evaluation.detection import (
    Confusion,
    DetectionReport,
    OperatingPoint,
)
from custom_datasets.evaluation.detection_errors import (
    BoxErrors,
    PredictedBox,
    RankedImage,
    TrueBox,
)
from custom_datasets.evaluation.label_doubts import LabelDoubt
from custom_datasets.pages.charts import Axis, Dot, Line, lines
from custom_datasets.pages.kit import (
    class_styles,
    clipped,
    decimal,
    frame_ratio,
    interval,
)
from custom_datasets.pages.pictures import (
    MOST_BOXES,
    Outline,
    Picture,
    make_picture,
    read_pixels,
)
from custom_datasets.pages.summaries import (
    KINDS,
    detects_nothing,
    main_error,
    predictor_code,
    threshold_source,
    worst_class_of_detection,
)

WORST, BEST, DOUBTS = 8, 4, 24
"""How many of each are shown."""

_IN_CHARTS = 12  # Classes, those with most objects.
_IN_MATRIX = 20
_IN_LEGEND = 20
_SPLIT_CLASSES = 6  # Up to so many classes, errors have a column for each.
_PAIRS, _PAIRS_ALONE = 10, 30  # Frequent errors beside a matrix, and without one.
_SIDE, _CROP_SIDE = 720, 300
_LEAST_CROP = 120
_PLAIN_FALSE = 10  # False boxes on an image that are not faded.

_REMEDIES = {
    'missed': 'More examples of such objects or a larger image scale may help.',
    'background': 'First look at the labels below: some of these may be objects that '
    'nobody annotated. Images without objects help against the rest.',
    'localisation': 'Check whether boxes are drawn alike everywhere; a longer training '
    'helps too.',
    'class': 'Look at the confusion below: the classes may need more examples, or a '
    'clearer line between them in the labels.',
    'both': 'These are often objects that lie close together or look like parts of '
    'another; look at the worst images below.',
    'duplicate': "Lower the IoU threshold of NMS (nms.iou_threshold in the model's "
    'test_cfg).',
}


_ANCHORS = {
    'missed': ' So may smaller anchors; tools/check.py tells which boxes none reaches.',
    'localisation': ' So do anchors that fit better (tools/check.py).',
}
"""What more there is to do where a model has anchors."""


def detection_view(
    report: DetectionReport, run: Mapping[str, Any], anchors: bool = True
) -> dict[str, Any]:
    """Return what ``detection.html`` shows beside the report's own numbers."""
    names = report['classes']
    styles = class_styles(names)
    shown = _most_objects(report)
    errors = report['errors']
    costs = [row['dap'] or 0.0 for row in errors['types']]
    ranked = report['images_ranked']
    threshold = ranked['threshold']
    point = report['thresholds']['overall']
    return {
        'facts': _facts(report),
        'styles': styles,
        'source': threshold_source(report),
        'one_or_many': _one_or_many(point, report['thresholds']['together']),
        'inference': predictor_code(run, threshold=round(point['threshold'], 3)),
        'class_code': predictor_code(run, threshold='per-class')
        if len(names) > 1
        else '',
        'in_charts': [(names[index], styles[names[index]]) for index in shown],
        'curves': _curves(report, styles, shown),
        'nothing': detects_nothing(report),
        'advice': '' if detects_nothing(report) else _advice(errors, anchors),
        'kinds': KINDS,
        'error_rows': sorted(
            (
                (row, cost / max(costs) if cost else 0.0)
                for row, cost in zip(errors['types'], costs, strict=True)
            ),
            key=lambda row: -row[1],
        ),
        'split_classes': names if len(names) <= _SPLIT_CLASSES else [],
        **_confusion(report['confusion']),
        'legend': list(styles.items())[:_IN_LEGEND],
        'ranked': [
            (name, title, [_side_by_side(row, styles, threshold) for row in rows])
            for name, title, rows in (
                ('worst', 'Worst images', ranked['worst'][:WORST]),
                ('best', 'Best images', ranked['best'][:BEST]),
            )
            if rows
        ],
        'doubts': [
            {**doubt, 'picture': _cut_out(doubt, styles)}
            for doubt in report['label_doubts'][:DOUBTS]
        ],
    }


def _facts(report: DetectionReport) -> list[tuple[str, str, str]]:
    worst = worst_class_of_detection(report)
    facts = [
        ('area-AP50', decimal(report['overall']['area_ap50']['value']), ''),
        ('COCO AP', decimal(report['overall']['coco']['AP']['value']), ''),
        ('threshold', decimal(report['thresholds']['overall']['threshold']), ''),
        ('images', f'{report["images"]:,}', ''),
        ('objects', f'{report["objects"]:,}', ''),
    ]
    if worst is not None:
        name = clipped(report['per_class'][worst]['name'], 24)
        facts.insert(3, ('worst class', name, 'words'))
    return facts


def _most_objects(report: DetectionReport) -> list[int]:
    rows = report['per_class']
    order = sorted(range(len(rows)), key=lambda index: -rows[index]['objects'])
    return sorted(order[:_IN_CHARTS])


def _one_or_many(one: OperatingPoint, many: OperatingPoint) -> str:
    single, each, high = one['f1']['value'], many['f1']['value'], one['f1']['high']
    if single is None or each is None:
        return 'F1 is not defined here.'
    text = (
        f'With one threshold per class F1 is {decimal(each)}, with one for all '
        f'{decimal(single)} ({interval(one["f1"])})'
    )
    if high is not None and each > high:
        return f'{text}: one per class is worth it.'
    return f'{text}: one for all is enough.'


def _curves(
    report: DetectionReport, styles: Mapping[str, str], shown: Sequence[int]
) -> dict[str, Markup]:
    curves = report['curves']
    scores, overall = curves['thresholds'], curves['overall']
    points = report['thresholds']['per_class']
    classes = [(report['classes'][i], curves['per_class'][i], points[i]) for i in shown]
    precision_recall = [
        Line(name, styles[name], _points(c['pr']['recall'], c['pr']['precision']))
        for name, c, _ in classes
    ]
    f1 = [Line('all', 'soft dashed', _points(scores, overall['f1']))]
    f1 += [Line(name, styles[name], _points(scores, c['f1'])) for name, c, _ in classes]
    chosen = [
        Dot(
            f'{name}: {decimal(point["threshold"])}',
            styles[name],
            point['threshold'],
            point['f1']['value'],
        )
        for name, _, point in classes
        if point['f1']['value'] is not None
    ]
    rates = [
        Line('recall', 'soft dashed', _points(scores, overall['recall'])),
        Line('precision', '', _points(scores, overall['precision'])),
    ]
    threshold = Axis('threshold')
    return {
        'precision_recall': lines(
            precision_recall,
            Axis('recall'),
            Axis('precision'),
            'Precision by recall, a curve for each class',
        ),
        'f1': lines(
            f1, threshold, Axis('F1'), 'F1 by threshold, a curve for each class', chosen
        ),
        'rates': lines(
            rates, threshold, Axis('share'), 'Precision and recall by threshold'
        ),
    }


def _points(
    xs: Sequence[float | None], ys: Sequence[float | None]
) -> list[tuple[float, float]]:
    nan = float('nan')
    return [
        (nan if x is None else x, nan if y is None else y)
        for x, y in zip(xs, ys, strict=True)
    ]


def _advice(errors: BoxErrors, anchors: bool) -> str:
    worst = main_error(errors)
    if worst is None:
        return 'No kind of error costs any AP.'
    kind, cost = worst
    name, meaning = KINDS[kind]
    return (
        f'What costs most is {name}: {meaning}. Without it area-AP50 would be '
        f'{decimal(cost)} higher. {_REMEDIES[kind]}'
        f'{_ANCHORS.get(kind, "") if anchors else ""}'
    )


def _confusion(confusion: Confusion) -> dict[str, Any]:
    names, counts = confusion['names'], confusion['counts']
    last = len(names) - 1
    fits = last <= _IN_MATRIX
    matrix = [[(count, count / max(sum(row), 1)) for count in row] for row in counts]
    wrong = [
        (-count, i, j)
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
        if i != j and count
    ]
    annotated = [*(clipped(name, 60) for name in names[:last]), 'nothing there']
    predicted = [*annotated[:last], 'missed']
    return {
        'matrix': matrix if fits else [],
        'pairs': [
            (annotated[i], predicted[j], f'{-count:,}')
            for count, i, j in sorted(wrong)[: _PAIRS if fits else _PAIRS_ALONE]
        ],
    }


def _side_by_side(
    row: RankedImage, styles: Mapping[str, str], threshold: float
) -> dict[str, Any]:
    view: dict[str, Any] = {**row, 'truth': None}
    pixels = read_pixels(row['path'])
    if pixels is not None:
        picture = make_picture(pixels, side=_SIDE)
        truth = _true_outlines(row['truth'], styles)
        predicted = _predicted_outlines(row['predicted'], styles, threshold)
        view['truth'] = picture._replace(outlines=truth, boxes=len(row['truth']))
        view['predicted'] = picture._replace(
            outlines=predicted, boxes=len(row['predicted'])
        )
        view['frame'] = frame_ratio(*picture.size)
    return view


def _true_outlines(
    boxes: Sequence[TrueBox], styles: Mapping[str, str]
) -> tuple[Outline, ...]:
    ranked = []
    for box in boxes:
        name, verdict, score = box['label'], box['verdict'], box['score']
        if verdict == 'missed' and score is not None:
            # A lower threshold would show what is on it; then it is not missed.
            verdict = 'found' if box['taken_for'] == name else 'confused'
            verdict += ' verdict-missed'
        style = f'{styles.get(name, "unknown")} verdict-{verdict}'
        x1, y1, x2, y2 = box['box']
        outline = Outline((x1, y1, x2, y2), name, style, hit=score)
        ranked.append((int(box['verdict'] in ('missed', 'confused')), outline))
    return _layered(ranked)


def _predicted_outlines(
    boxes: Sequence[PredictedBox], styles: Mapping[str, str], threshold: float
) -> tuple[Outline, ...]:
    ranked = []
    false = 0
    for box in boxes:
        name, verdict, score = box['label'], box['verdict'], box['score']
        style = f'{styles.get(name, "unknown")} verdict-{verdict}'
        rank = 3 if verdict in ('false', 'confused') else 2
        false += verdict == 'false'
        if verdict == 'false' and false > _PLAIN_FALSE:
            style, rank = f'{style} faded', 1
        if score < threshold:
            style, rank = f'{style} left-out', 0
        x1, y1, x2, y2 = box['box']
        ranked.append((rank, Outline((x1, y1, x2, y2), name, style, score)))
    return _layered(ranked)


def _layered(ranked: Sequence[tuple[int, Outline]]) -> tuple[Outline, ...]:
    """Return the outlines that matter most, these last: they lie above the others."""
    kept = sorted(ranked, key=lambda pair: -pair[0])[:MOST_BOXES]
    return tuple(outline for _, outline in reversed(kept))


def _cut_out(doubt: LabelDoubt, styles: Mapping[str, str]) -> Picture | None:
    pixels = read_pixels(doubt['path'])
    if pixels is None:
        return None
    left, top, right, bottom = _around(doubt['box'], *pixels.shape[1::-1])
    outlines = []
    # What is annotated below, what the model contradicts it with above.
    for box, label, verdict in (
        (doubt['annotated_box'], doubt['annotated'], 'found'),
        (doubt['box'], doubt['predicted'] or doubt['annotated'], 'missed'),
    ):
        if box:
            x1, y1, x2, y2 = box
            style = f'{styles.get(label or "", "unknown")} verdict-{verdict}'
            shifted = (x1 - left, y1 - top, x2 - left, y2 - top)
            outlines.append(Outline(shifted, label or '', style))
    return make_picture(pixels[top:bottom, left:right], outlines, _CROP_SIDE)


def _around(box: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Return a square around a box, ``xyxy``, as far as the image reaches."""
    x1, y1, x2, y2 = box
    side = max(2.5 * max(x2 - x1, y2 - y1), _LEAST_CROP)
    left = int(min(max((x1 + x2 - side) / 2, 0), max(width - side, 0)))
    top = int(min(max((y1 + y2 - side) / 2, 0), max(height - side, 0)))
    return left, top, int(min(left + side, width)), int(min(top + side, height))
