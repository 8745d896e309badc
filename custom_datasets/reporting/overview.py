"""The parts of the page on classes and images, in numbers."""

from collections.abc import Mapping, Sequence

import numpy as np

from custom_datasets.reporting.charts import bubbles, columns, share_bar
from custom_datasets.reporting.drawing import Tick
from custom_datasets.reporting.gather import Report
from custom_datasets.reporting.layout import (
    class_name,
    figure,
    number,
    plural,
    section,
    table,
)
from custom_datasets.reporting.markup import Content, Html, element, extent
from custom_datasets.reporting.statistics import (
    count_classes,
    image_sizes,
    whole_numbers,
)

MOST_CLASSES = 60
"""Classes that a table has."""

_LISTED_SIZES = 6
_SIZE_CELLS = 40
_MARKS = 8


def classes_section(report: Report) -> Html:
    """Write how often each class is annotated, part by part."""
    counted = count_classes(report.parts)
    totals = [sum(row.counts[i] for row in counted) for i in range(len(report.parts))]
    total = sum(totals)
    what = 'objects' if report.is_detection else 'images'
    styles = report.styles
    rows = []
    for row in counted[:MOST_CLASSES]:
        style = styles.get(row.name, 'unknown')
        note = None if row.known else element('small', 'not a class of the config')
        cells = [
            number(count, share_bar(count / max(of, 1), style))
            for count, of in zip(row.counts, totals, strict=True)
        ]
        share = sum(row.counts) / max(total, 1)
        name = class_name(row.name, style, note)
        rows.append(
            [name, *cells, number(sum(row.counts), element('small', _percent(share)))]
        )
    rest = len(counted) - MOST_CLASSES
    return section(
        'classes',
        'Classes',
        table(
            f'{what.capitalize()} of each class. A bar is its share of the column.',
            ['Class', *(part.name for part in report.parts), 'all'],
            rows,
            ['All', *map(number, totals), number(total)],
        ),
        element('p', f'{plural(rest, "more class", "more classes")} not shown.')
        if rest > 0
        else None,
    )


def images_section(report: Report) -> Html:
    """Write how many images there are, how large, and what is on them."""
    rows: list[list[Content]] = []
    every: list[int] = []
    for part in report.parts:
        objects = [len(image.boxes) for image in part.images]
        every += objects
        row: list[Content] = [part.name, number(len(objects))]
        if report.is_detection and objects:
            row.append(number(objects.count(0)))
            row.append(number(f'{np.median(objects):g}'))
            row.append(number(max(objects)))
        rows.append(row + [number('-')] * (5 * report.is_detection - len(row)))
    heads = ['Split', 'Images']
    if report.is_detection:
        heads += ['without objects', 'median objects', 'most objects']
    sizes = image_sizes(report.parts, report.sizes)
    text = '' if sizes else 'No image could be read.'
    if len(sizes) == 1:
        text = f'All images have {extent(*next(iter(sizes)))} pixels.'
    figures = [_sizes_figure(sizes)] if len(sizes) > 1 else []
    if report.is_detection and any(every):
        figures.append(_objects_figure(every))
    return section(
        'images',
        'Images',
        table('Images of each split.', heads, rows),
        element('p', text) if text else None,
        element('div', figures, class_='figures') if figures else None,
    )


def _percent(share: float) -> str:
    return f'{share:.1%}' if share < 0.1 else f'{share:.0%}'


def _sizes_figure(counts: Mapping[tuple[int, int], int]) -> Html:
    widths = np.repeat([w for w, _ in counts], list(counts.values()))
    heights = np.repeat([h for _, h in counts], list(counts.values()))
    text = (
        f'Widths from {widths.min()} to {widths.max()} pixels, median '
        f'{np.median(widths):g}; heights from {heights.min()} to {heights.max()}, '
        f'median {np.median(heights):g}.'
    )
    if len(counts) <= _LISTED_SIZES:
        common = sorted(counts.items(), key=lambda item: -item[1])
        rows = [[extent(*size), number(count)] for size, count in common]
        return figure(
            'Size', text, table('Images by size.', ['Pixels', 'Images'], rows)
        )
    points = _binned(counts)
    chart = bubbles(points, '{}, pixels', f'Sizes of images. {text}')
    return figure('Size', f'{text} The area of a dot shows how many.', chart)


def _binned(counts: Mapping[tuple[int, int], int]) -> list[tuple[float, float, int]]:
    """Return sizes and their counts; many sizes are gathered on a grid."""
    if len(counts) <= _SIZE_CELLS:
        return [(w, h, count) for (w, h), count in counts.items()]
    cell = max(max(size) for size in counts) / _SIZE_CELLS
    cells: dict[tuple[float, float], int] = {}
    for (width, height), count in counts.items():
        place = ((width // cell + 0.5) * cell, (height // cell + 0.5) * cell)
        cells[place] = cells.get(place, 0) + count
    return [(x, y, count) for (x, y), count in cells.items()]


def _objects_figure(objects: Sequence[int]) -> Html:
    histogram = whole_numbers(objects)
    width = histogram.edges[1]
    every = -(-len(histogram.counts) // _MARKS)
    # Bins of one number are marked in their middle, others where they start.
    shift = 0.5 if width == 1 else 0.0
    ticks = [
        Tick(index + shift, f'{edge:g}')
        for index, edge in enumerate(histogram.edges[:-1])
        if index % every == 0
    ]
    text = f'From {min(objects)} to {max(objects)}, {np.mean(objects):.1f} on average.'
    chart = columns(
        histogram.counts,
        ticks,
        'objects on an image',
        'images',
        f'Objects an image. {text}',
    )
    return figure('Objects an image', text, chart)
