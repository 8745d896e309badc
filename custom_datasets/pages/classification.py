"""What a classifier's page shows: how good it is, and how far to trust it."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import median
from typing import Any

from markupsafe import Markup

from custom_datasets.evaluation.answer_thresholds import AnswerThresholds, Goal
from custom_datasets.evaluation.calibration import Bin, Calibration
from custom_datasets.evaluation.classification_report import (
    ClassificationReport,
    ClassifiedImage,
)
from custom_datasets.pages.charts import Axis, Dot, Line, Tick, columns, lines
from custom_datasets.pages.class_maps import Explained, Explanations
from custom_datasets.pages.kit import (
    class_styles,
    clipped,
    decimal,
    extent,
    frame_ratio,
    plural,
    with_interval,
)
from custom_datasets.pages.pictures import load_picture, make_picture, overlay_heat
from custom_datasets.pages.summaries import (
    calibration_sentence,
    temperature_code,
    temperature_sentence,
    threshold_code,
    threshold_text,
    worst_class_of_classification,
)

_IN_MATRIX = 100
_UNSURE = 12
_SIDE = 240
_BEFORE, _AFTER = 'c0', 'c1'


def classification_view(
    report: ClassificationReport,
    run: Mapping[str, Any],
    explained: Explanations | None = None,
) -> dict[str, Any]:
    """Return what ``classification.html`` shows beside the report's own numbers."""
    counts, goals = report['confusion']['counts'], report['thresholds']['goals']
    maps = explained.images if explained else {}
    mistakes = report['mistakes']['confident']
    typical = [row for row in report['typical'] if row['path'] in maps]
    unsure = report['unsure'][:_UNSURE]
    tiles = [_tile(row) for row in mistakes if row['path'] not in maps]
    unsure_tiles = [_tile(row) for row in unsure]
    sizes = [
        tile['picture'].size for tile in (*tiles, *unsure_tiles) if tile['picture']
    ]
    return {
        'facts': _facts(report),
        'styles': class_styles(report['classes']),
        'matrix': [[(n, n / max(sum(row), 1)) for n in row] for row in counts]
        if len(counts) <= _IN_MATRIX
        else [],
        'calibration': calibration_sentence(report),
        'temperature': temperature_sentence(report),
        **_calibration(report['calibration']),
        'temperature_code': temperature_code(report, run),
        'goals': _goals(goals),
        'coverage': _coverage(report['thresholds']),
        'threshold_code': threshold_code((row['threshold'] for row in goals), run),
        'trios': [
            _trio(row, maps[r]) for row in mistakes if (r := row['path']) in maps
        ],
        'mistakes': tiles,
        'unsure': unsure_tiles,
        'frame': median(frame_ratio(*size) for size in sizes) if sizes else 1.0,
        'true_classes': list(
            dict.fromkeys(row['true'] for row in (*mistakes, *unsure))
        ),
        'lowest': min((row['confidence'] for row in (*mistakes, *unsure)), default=0),
        'refusal': _refusal(explained),
        'typical': [_pair(row, maps[row['path']]) for row in typical],
        'places': _places(maps[typical[0]['path']]) if typical else '',
    }


def _facts(report: ClassificationReport) -> list[tuple[str, str, str]]:
    worst = worst_class_of_classification(report)
    named = [('worst class', clipped(worst['name'], 24), 'words')] if worst else []
    return [
        ('top-1', decimal(report['overall']['top1']['value']), ''),
        ('macro F1', decimal(report['overall']['macro_f1']['value']), ''),
        *named,
        ('images', f'{report["images"]:,}', ''),
        ('mistakes', f'{report["mistakes"]["count"]:,}', ''),
        ('classes', f'{len(report["classes"]):,}', ''),
    ]


def _calibration(calibration: Calibration) -> dict[str, Any]:
    before, after = calibration['before'], calibration['after']
    legend = [('as it is', _BEFORE)]
    curves = [
        Line('calibrated', 'soft dashed', [(0, 0), (1, 1)]),
        Line('as it is', _BEFORE, _points(before['curve'])),
    ]
    if after:
        legend.append(('with the temperature', _AFTER))
        curves.append(Line('with the temperature', _AFTER, _points(after['curve'])))
    return {
        'calibration_legend': legend,
        'reliability': lines(
            curves,
            Axis('confidence'),
            Axis('accuracy'),
            'Accuracy by confidence',
            _dots(before['curve']),
        ),
        'confidences': columns(
            [row['images'] for row in before['curve']],
            [Tick(calibration['bins'] * n / 5, f'{n / 5:.1f}') for n in range(6)],
            'confidence',
            'images',
            'Images by confidence',
        ),
    }


def _points(curve: Sequence[Bin]) -> list[tuple[float, float]]:
    return [
        (row['confidence'], row['accuracy']['value'])
        for row in curve
        if row['confidence'] is not None and row['accuracy']['value'] is not None
    ]


def _dots(curve: Sequence[Bin]) -> list[Dot]:
    bins = [row for row in curve if row['images']]
    return [
        Dot(
            f'{plural(row["images"], "image")}: confidence '
            f'{decimal(row["confidence"])}, accuracy {with_interval(row["accuracy"])}',
            _BEFORE,
            *point,
        )
        for row, point in zip(bins, _points(bins), strict=True)
    ]


def _goals(goals: Sequence[Goal]) -> list[tuple[str, str, Goal]]:
    """Return each threshold once: the goals that it reaches, its text, its numbers."""
    rows = []
    for threshold, group in groupby(goals, key=lambda row: row['threshold']):
        alike = list(group)
        ends = dict.fromkeys(decimal(row['goal']) for row in (alike[0], alike[-1]))
        text = threshold_text(threshold) if threshold else 'none needed'
        rows.append((' to '.join(ends), text, alike[0]))
    return rows


def _coverage(thresholds: AnswerThresholds) -> Markup:
    curve = [(point['coverage'], point['accuracy']) for point in thresholds['curve']]
    return lines(
        [Line('accuracy of the answers', '', curve)],
        Axis('share of images answered'),
        Axis('accuracy of the answers'),
        'Accuracy of the answers by share of images answered',
        [
            Dot(
                f'from {threshold_text(row["threshold"])} on',
                '',
                row['coverage']['value'] or 0.0,
                row['accuracy']['value'] or 0.0,
            )
            for row in thresholds['goals']
            if row['threshold'] is not None and row['images']
        ],
    )


def _trio(row: ClassifiedImage, one: Explained) -> dict[str, Any]:
    sure = (row['confidence'], row['probability'])
    texts = [
        f'for {clipped(part.name, 30)}: confidence {decimal(value)}'
        for part, value in zip(one.maps, sure, strict=True)
    ]
    return _explained(row, one, texts)


def _pair(row: ClassifiedImage, one: Explained) -> dict[str, Any]:
    text = f'for {clipped(row["true"], 30)}: confidence {decimal(row["confidence"])}'
    return _explained(row, one, [text])


def _explained(
    row: ClassifiedImage, one: Explained, texts: Sequence[str]
) -> dict[str, Any]:
    return {
        **row,
        'frame': frame_ratio(*one.pixels.shape[1::-1]),
        'seen': make_picture(one.pixels, side=_SIDE),
        'overlays': [
            {
                'picture': make_picture(
                    overlay_heat(one.pixels, part.heat), side=_SIDE
                ),
                'text': text,
                'empty': not part.heat.any(),
            }
            for part, text in zip(one.maps, texts, strict=False)
        ],
    }


def _tile(row: ClassifiedImage) -> dict[str, Any]:
    name = clipped(row['true'], 40)
    if row['true'] != row['predicted']:
        name += f', taken for {clipped(row["predicted"], 40)}'
    text = f'{name} · confidence {decimal(row["confidence"])}'
    return {**row, 'picture': load_picture(row['path'], side=_SIDE), 'text': text}


def _refusal(explained: Explanations | None) -> str:
    if explained is None:
        return (
            'Maps of where it looks need the checkpoint, and only predictions were '
            'given.'
        )
    return explained.refusal


def _places(one: Explained) -> str:
    rows, across = one.maps[0].heat.shape
    return extent(across, rows)
