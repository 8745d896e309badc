"""The page of a data set: its content, its faults, and what training makes of it."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from custom_datasets.checks.report import summary
from custom_datasets.data.problems import SEVERITIES, Finding, by_severity
from custom_datasets.data.scan import Progress
from custom_datasets.files import short_path, write_files
from custom_datasets.pages.charts import Row, Tick, bubbles, columns, heat_map, ranges
from custom_datasets.pages.data_numbers import (
    Boxes,
    Numbers,
    Repeats,
    Shown,
    collect_boxes,
    count_classes,
    doublings,
    image_sizes,
    position_grid,
    size_groups,
    spread,
    whole_numbers,
)
from custom_datasets.pages.data_pipeline import Augmented
from custom_datasets.pages.data_report import Report, gather
from custom_datasets.pages.kit import (
    MOST_CLASSES,
    MOST_COLOURS,
    base_name,
    clipped,
    extent,
    frame_ratio,
    percent,
    render,
)
from custom_datasets.pages.pictures import SIDE, Outline, Picture, load_picture
from custom_datasets.text import counted
from custom_datasets.training.run_md import neighbours

PAGE = 'dataset_report.html'

_EXAMPLE_SIDE = 720
"""Longest side of an example in pixels: larger than shown, to be enlarged."""

_MOST_KINDS, _MOST_PLACES, _MOST_FINDINGS = 60, 40, 200
"""Kinds of findings, places of each kind, and places in all; the rest are counted."""

_AT_ONCE = 3
"""Places of a kind that are seen at once; the others are unfolded."""

_LISTED_SIZES, _SIZE_CELLS = 6, 40
"""Sizes of images up to which they are listed, and drawn one by one."""

_IN_CHARTS, _MAPS, _MARKS = 12, 11, 8
"""Classes in charts and with a map of positions; marks of an axis."""

_MOST_REPEATS, _IN_GROUP = 8, 4
"""Groups of repeated images, and images of each group."""


def write_report(
    config: str,
    options: Mapping[str, Any] | None = None,
    out: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Check a config's data, write the page, and return a line that says so.

    ``out`` is ``work_dirs/<config>/dataset_report.html`` by default; ``progress`` gets
    the number of files read, and of all of them.

    Raises:
        ConfigError: The config can't be read.
        UserError: The page can't be written.
    """
    report = gather(config, options, progress)
    stem = os.path.splitext(os.path.basename(config))[0]
    path = out or os.path.join('work_dirs', stem, PAGE)
    folder, name = os.path.split(os.path.abspath(path))
    page = render_report(report, neighbours(folder, name))
    write_files(folder, {name: page})
    images = sum(len(part.images) for part in report.parts)
    return (
        f'{path}: {len(page) / 1e6:.1f} MB; {summary(report.findings)}; '
        f'{counted(images, "images")}'
    )


def render_report(report: Report, links: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return the page; links are those of ``run_md.neighbours``."""
    ratios = [width / height for width, height in report.sizes.values()]
    side = _EXAMPLE_SIDE if report.is_detection else SIDE
    return render(
        'data.html',
        heading=report.dataset or 'Data set',
        kind='data set report',
        colours=report.colours[:MOST_COLOURS],
        frame=min(max(median(ratios), 1.0), 1.8) if ratios else 1.0,
        config=short_path(report.config),
        root=short_path(report.root) if report.root else 'no data',
        links=links,
        is_detection=report.is_detection,
        styles=report.styles,
        facts=_facts(report),
        findings=_findings(report.findings),
        splits=[part.name for part in report.parts],
        classes=_classes(report),
        images=_images(report),
        boxes=_boxes(report),
        examples=[
            (_annotated(shown, report, side), shown.image.label or '')
            for shown in report.examples
        ],
        example_classes=_in_order(report),
        pipeline=[_pipeline(sample) for sample in report.augmented],
        no_pipeline=report.no_pipeline or 'there is nothing to show',
        repeats=[_repeats(group, report) for group in report.repeats[:_MOST_REPEATS]],
        repeats_count=len(report.repeats),
    )


def _in_order(report: Report) -> list[str]:
    names = {name for shown in report.examples for name in shown.names}
    return [
        *filter(names.__contains__, report.classes),
        *sorted(names - {*report.classes}),
    ]


def _facts(report: Report) -> list[tuple[str, str, str]]:
    severities = Counter(finding.severity for finding in report.findings)
    images = [image for part in report.parts for image in part.images]
    facts = [('images', f'{len(images):,}', '')]
    if report.is_detection:
        objects = sum(len(image.boxes) for image in images)
        facts.append(('objects', f'{objects:,}', ''))
    facts.append(('classes', f'{len(report.classes):,}', ''))
    for severity in SEVERITIES:
        count = severities[severity]
        facts.append((f'{severity}s', f'{count:,}', severity if count else ''))
    return facts


def _findings(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    kinds = [
        (severity, code, group)
        for severity, codes in by_severity(findings).items()
        for code, group in codes.items()
    ][:_MOST_KINDS]
    most = min(_MOST_PLACES, max(_AT_ONCE, _MOST_FINDINGS // max(len(kinds), 1)))
    groups = []
    for severity, code, group in kinds:
        hints = {finding.hint for finding in group}
        hint = hints.pop() if len(hints) == 1 else ''
        places = [
            (_where(finding), finding.message, '' if hint else finding.hint)
            for finding in group[:most]
        ]
        groups.append(
            {
                'severity': severity,
                'code': code,
                'count': len(group),
                'hint': hint,
                'places': places[:_AT_ONCE],
                'more': places[_AT_ONCE:],
            }
        )
    return groups


def _where(finding: Finding) -> str:
    where = [finding.split] if finding.split else []
    if finding.file:
        where.append(clipped(short_path(finding.file), 200))
    if finding.object is not None:
        where.append(f'object {finding.object}')
    return ' · '.join(where)


def _classes(report: Report) -> dict[str, Any]:
    counted = count_classes(report.parts)
    totals = [sum(row.counts[i] for row in counted) for i in range(len(report.parts))]
    total = sum(totals)
    rows = [
        {
            'name': row.name,
            'style': report.styles.get(row.name, 'unknown'),
            'is_known': row.is_known,
            'counts': [
                (count, count / max(of, 1))
                for count, of in zip(row.counts, totals, strict=True)
            ],
            'total': sum(row.counts),
            'share': percent(sum(row.counts) / max(total, 1)),
        }
        for row in counted[:MOST_CLASSES]
    ]
    hidden = max(len(counted) - MOST_CLASSES, 0)
    return {'rows': rows, 'totals': totals, 'total': total, 'hidden': hidden}


Figure = tuple[str, str, Markup]
"""A title, what the chart says, and the chart."""


def _images(report: Report) -> dict[str, Any]:
    rows: list[list[Any]] = []
    objects_of_all: list[int] = []
    for part in report.parts:
        objects = [len(image.boxes) for image in part.images]
        objects_of_all += objects
        row: list[Any] = [part.name, f'{len(objects):,}']
        if report.is_detection and objects:
            row += [f'{objects.count(0):,}', f'{np.median(objects):g}', max(objects)]
        elif report.is_detection:
            row += ['-'] * 3
        rows.append(row)
    sizes = image_sizes(report.parts, report.sizes)
    text = '' if sizes else 'No image could be read.'
    if len(sizes) == 1:
        text = f'All images have {extent(*next(iter(sizes)))} pixels.'
    figures = []
    if len(sizes) > _LISTED_SIZES:
        figures.append(_sizes_figure(sizes))
    if any(objects_of_all):
        figures.append(_objects_figure(objects_of_all))
    is_listed = 1 < len(sizes) <= _LISTED_SIZES
    return {
        'rows': rows,
        'text': text,
        'figures': figures,
        'extents': _describe(sizes) if is_listed else '',
        'sizes': [(extent(*size), f'{n:,}') for size, n in sizes.most_common()]
        if is_listed
        else [],
    }


def _describe(counts: Mapping[tuple[int, int], int]) -> str:
    widths, heights = (
        np.repeat(lengths, list(counts.values()))
        for lengths in zip(*counts, strict=True)
    )
    return (
        f'Widths from {widths.min()} to {widths.max()} pixels, median '
        f'{np.median(widths):g}; heights from {heights.min()} to {heights.max()}, '
        f'median {np.median(heights):g}.'
    )


def _sizes_figure(counts: Mapping[tuple[int, int], int]) -> Figure:
    points = [(float(w), float(h), count) for (w, h), count in counts.items()]
    if len(points) > _SIZE_CELLS:
        cell = max(max(size) for size in counts) / _SIZE_CELLS
        cells: Counter[tuple[float, float]] = Counter()
        for width, height, count in points:
            cells[(width // cell + 0.5) * cell, (height // cell + 0.5) * cell] += count
        points = [(x, y, count) for (x, y), count in cells.items()]
    text = _describe(counts)
    chart = bubbles(points, '{}, pixels', f'Sizes of images. {text}')
    return 'Size', f'{text} The area of a dot shows how many.', chart


def _objects_figure(objects: Sequence[int]) -> Figure:
    histogram = whole_numbers(objects)
    every = -(-len(histogram.counts) // _MARKS)
    # Bins of one number are marked in their middle, others where they start.
    shift = 0.5 if histogram.edges[1] == 1 else 0.0
    ticks = [
        Tick(index + shift, f'{edge:g}')
        for index, edge in enumerate(histogram.edges[:-1])
        if index % every == 0
    ]
    text = f'From {min(objects)} to {max(objects)}, {np.mean(objects):.1f} on average.'
    title, axis = 'Objects per image', 'objects on an image'
    chart = columns(histogram.counts, ticks, axis, 'images', f'{title}. {text}')
    return title, text, chart


Named = tuple[str, str, Boxes]
"""A class, its class of the style sheet, and its boxes."""


def _boxes(report: Report) -> dict[str, Any] | None:
    boxes = collect_boxes(report.parts, report.sizes)
    if not len(boxes.labels):
        return None
    named = [
        (name, report.styles[name], boxes.of_class(index))
        for index, name in enumerate(report.classes)
    ]
    by_class = [group for group in named if len(group[2].labels)]
    by_class.sort(key=lambda group: -len(group[2].labels))
    maps = [('all', 'all', boxes), *(by_class[:_MAPS] if len(by_class) > 1 else [])]
    return {
        'sizes': _box_figures(_SIZE, boxes, by_class[:_IN_CHARTS]),
        'shapes': _box_figures(_SHAPE, boxes, by_class[:_IN_CHARTS]),
        'rows': [
            {
                'name': name,
                'style': style,
                'extent': extent(*np.median(group.extents, axis=0).round()),
                'groups': size_groups(group),
            }
            for name, style, group in by_class[:MOST_CLASSES]
        ],
        'maps': [
            (
                name,
                heat_map(
                    position_grid(group.centres),
                    style,
                    f'Positions of {clipped(name, 60)}',
                ),
            )
            for name, style, group in maps
        ],
    }


class _Measure(NamedTuple):
    """What is measured of boxes, and how it is written; ``bins`` per doubling."""

    title: str
    axis: str
    values: Callable[[Boxes], Numbers]
    mark: Callable[[float], str]
    unit: str
    bins: int
    most: float


def _ratio(value: float) -> str:
    more = max(value, 1 / value)
    text = f'{more:.2g}' if more < 10 else f'{more:.0f}'
    return f'{text}:1' if value >= 1 else f'1:{text}'


_SIZE = _Measure(
    'Size',
    'side of a square of equal area, pixels',
    lambda boxes: boxes.sides,
    '{:.0f}'.format,
    ' pixels',
    2,
    np.inf,
)
_SHAPE = _Measure(
    'Shape', 'width : height', lambda boxes: boxes.ratios, _ratio, '', 4, 16
)


def _box_figures(
    measure: _Measure, boxes: Boxes, by_class: Sequence[Named]
) -> list[Figure]:
    title, axis, values, mark, unit, bins, most = measure
    low, _, middle, _, high = map(mark, spread(values(boxes)))
    text = f'Nine of ten are {low} to {high}{unit}, the median is {middle}.'
    histogram = doublings(values(boxes), bins, most)
    ticks = [
        Tick(place, mark(edge))
        for place, edge in enumerate(histogram.edges)
        if place % bins == 0
    ]
    ticks = ticks[:: -(-len(ticks) // 9)]
    chart = columns(histogram.counts, ticks, axis, 'boxes', text)
    figures = [(title, text, chart)]
    if len(by_class) > 1:
        rows = [Row(name, spread(values(own)), style) for name, style, own in by_class]
        title = f'{title} by class'
        text = 'Line: nine of ten boxes. Bar: the middle half. Mark: the median.'
        figures.append((title, text, ranges(rows, mark, axis, title)))
    return figures


class Example(NamedTuple):
    """An image of the page; without a picture where it cannot be shown.

    ``label`` describes the picture to those who cannot see it.
    """

    picture: Picture | None
    name: str
    text: str
    label: str


def _annotated(shown: Shown, report: Report, side: int) -> Example:
    image = shown.image
    shift = 1.0 if shown.member.one_based else 0.0
    outlines = []
    for record in image.boxes:
        x1, y1, x2, y2 = record.box
        style = report.styles.get(record.name, 'unknown')
        style += ' difficult' if record.difficult else ''
        box = (min(x1, x2) - shift, min(y1, y2) - shift, max(x1, x2), max(y1, y2))
        outlines.append(Outline(box, record.name, style))
    if image.label is not None:
        what = clipped(image.label, 60)
    else:
        counts = Counter(shown.names).most_common(4)
        what = ', '.join(f'{count} {clipped(n, 30)}' for n, count in counts)
        what = what or 'no objects'
    name = base_name(image.image or image.name)
    picture = load_picture(image.image, outlines, side)
    return Example(picture, name, f'{shown.part} · {what}', f'{name}: {what}')


def _pipeline(sample: Augmented) -> dict[str, Any]:
    name = base_name(sample.name)
    text = clipped(sample.label, 60)
    images = [Example(sample.before, name, text, f'{name} as it is on disk')]
    images += [
        Example(picture, f'output {number}', '', f'{name} after the pipeline')
        for number, picture in enumerate(sample.after, 1)
    ]
    pictures = (sample.before, *sample.after)
    return {'images': images, 'frame': _frame(picture.size for picture in pictures)}


def _repeats(group: Repeats, report: Report) -> dict[str, Any]:
    images = [
        _annotated(shown, report, SIDE * 3 // 4) for shown in group.images[:_IN_GROUP]
    ]
    differ = 'boxes differ' if report.is_detection else 'classes differ'
    marks = [('', 'identical pixels' if group.identical else 'nearly identical')]
    marks += [('warning', differ)] if group.conflict else []
    marks += [('error', 'in several splits')] if group.across else []
    return {
        'marks': marks,
        'images': images,
        'frame': _frame(image.picture.size for image in images if image.picture),
        'hidden': max(len(group.images) - _IN_GROUP, 0),
    }


def _frame(sizes: Iterable[tuple[int, int]]) -> float:
    return max((frame_ratio(*size) for size in sizes), default=1.0)
