"""The whole page, and writing it."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from mmengine.config import Config

from custom_datasets.checks.check import check_config, load_config
from custom_datasets.checks.reading import read_sources, read_xml_files
from custom_datasets.checks.report import summary
from custom_datasets.data.config_sources import Source, find_sources, read_declaration
from custom_datasets.data.problems import SEVERITIES, Finding, by_severity
from custom_datasets.data.scan import ResultCache, scan_images
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.files import write_files
from custom_datasets.pages.charts import (
    Row,
    Tick,
    bubbles,
    columns,
    heat_map,
    ranges,
    share_bar,
)
from custom_datasets.pages.data_numbers import (
    Boxes,
    Histogram,
    Part,
    Repeats,
    Shown,
    Sizes,
    choose_examples,
    class_names,
    collect_boxes,
    count_classes,
    doublings,
    find_repeats,
    image_sizes,
    merge_splits,
    position_grid,
    size_groups,
    spread,
    whole_numbers,
)
from custom_datasets.pages.data_pipeline import Augmented, run_pipeline
from custom_datasets.pages.kit import (
    MOST_CLASSES,
    MOST_COLOURS,
    Colour,
    Content,
    Html,
    Section,
    class_colours,
    class_name,
    class_styles,
    clipped,
    element,
    encode_page,
    extent,
    facts,
    figure,
    frame_page,
    legend,
    number,
    plural,
    section,
    table,
)
from custom_datasets.pages.pictures import (
    MOST_BOXES,
    SIDE,
    Outline,
    Picture,
    draw_picture,
    load_picture,
)

EXAMPLES, EXAMPLES_OF_CLASSES = 12, 24
"""Images shown, of a detection and of a classification set."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Report:
    """What a page shows.

    Attributes:
        config: Path of the config.
        dataset: The class of its data set; empty where there is none.
        is_detection: Whether images have objects rather than a class each.
        root: Folder of the data.
        parts: Its images.
        classes: Known classes, in the order that numbers them.
        colours: One a class.
        sizes: Width and height in pixels by image path, as far as images decode.
        findings: What the check has to say.
        examples: Images to show.
        repeats: Images that are there more than once.
        augmented: Images before and after the pipeline.
        no_pipeline: Why there are none of these; empty where there are.
    """

    config: str
    dataset: str
    is_detection: bool
    root: str
    parts: Sequence[Part]
    classes: tuple[str, ...]
    colours: Sequence[Colour]
    sizes: Sizes
    findings: Sequence[Finding]
    examples: Sequence[Shown] = ()
    repeats: Sequence[Repeats] = ()
    augmented: Sequence[Augmented] = ()
    no_pipeline: str = ''

    @property
    def styles(self) -> dict[str, str]:
        """Return the class of the style sheet for each class name."""
        return class_styles(self.classes)


def gather(
    config: str,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check a config, and read what its data sets name.

    Args:
        config: The leaf.
        options: What ``--cfg-options`` sets, by dotted name.
        progress: Called with the number of files read, and of all of them.

    Raises:
        ConfigError: The config can't be read.
    """
    findings = check_config(config, options, progress=progress).findings
    cfg = load_config(config, options)
    sources, _ = find_sources(cfg)
    with ResultCache() as cache:
        splits, _ = read_sources(sources, partial(read_xml_files, cache=cache))
        parts = merge_splits(splits)
        paths = [image.image for part in parts for image in part.images if image.image]
        facts = scan_images(paths, progress, cache)
    classes = class_names(parts)
    augmented: Sequence[Augmented] = ()
    refusal = ''
    try:
        augmented = run_pipeline(cfg, class_styles(classes))
    except AnnotationError as error:
        refusal = f'{error.where} cannot be loaded; the findings say why'
    except UserError as error:
        refusal = str(error).splitlines()[0]
    first = sources[0] if sources else None
    is_detection = not first or first.kind not in ('class-list', 'stock-classes')
    count = EXAMPLES if is_detection else EXAMPLES_OF_CLASSES
    sizes = {path: fact.size for path, fact in facts.items() if fact.size}
    return Report(
        config=config,
        dataset=first.type if first else '',
        is_detection=is_detection,
        root=first.root if first else '',
        parts=parts,
        classes=classes,
        colours=class_colours(len(classes), _palette(cfg, first)),
        sizes=sizes,
        findings=findings,
        examples=choose_examples(parts, sizes, count),
        repeats=find_repeats(parts, facts),
        augmented=augmented,
        no_pipeline=refusal,
    )


def _palette(cfg: Config, source: Source | None) -> Any:
    if source is None:
        return None
    given = source.settings.get('metainfo') or {}
    if 'palette' in given:
        return given['palette']
    modules = (cfg.get('custom_imports') or {}).get('imports') or ()
    scope = cfg.get('default_scope') or 'mmdet'
    return read_declaration(source.type, modules, scope).metainfo.get('palette')


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


_IN_CHARTS = 12
_MAPS = 7
_MOST_RATIO = 16.0
_SIDE = 'side of a square of equal area, pixels'
_SHAPE = 'width : height'
_RANGES = 'Line: nine of ten boxes. Bar: the middle half. Mark: the median.'

Named = tuple[str, str, Boxes]
"""A class, its class of the style sheet, and its boxes."""


def boxes_section(report: Report) -> Html | None:
    """Write about boxes; None where there are none."""
    boxes = collect_boxes(report.parts, report.sizes)
    if not len(boxes.labels):
        return None
    styles = report.styles
    named = [(n, styles[n], boxes.of_class(i)) for i, n in enumerate(report.classes)]
    by_class = [found for found in named if len(found[2].labels)]
    by_class.sort(key=lambda found: -len(found[2].labels))
    maps = by_class[:_MAPS] if len(by_class) > 1 else []
    return section(
        'boxes',
        'Boxes',
        element('div', _charts(boxes, by_class[:_IN_CHARTS]), class_='figures'),
        _size_table(by_class[:MOST_CLASSES]),
        element('h3', 'Position'),
        element('p', 'Where the centres of boxes lie: the stronger, the more of them.'),
        element(
            'div', _map('all', 'all', boxes), [_map(*c) for c in maps], class_='maps'
        ),
    )


def _charts(boxes: Boxes, by_class: Sequence[Named]) -> list[Html | None]:
    low, _, middle, _, high = spread(boxes.sides)
    size = (
        f'Nine of ten are {low:.0f} to {high:.0f} pixels, the median is {middle:.0f}.'
    )
    low, _, middle, _, high = spread(boxes.ratios)
    shape = (
        f'Nine of ten are {_ratio(low)} to {_ratio(high)}, the median is '
        f'{_ratio(middle)}.'
    )
    sides, ratios = doublings(boxes.sides, 2), doublings(boxes.ratios, 4, _MOST_RATIO)
    side_rows = [
        Row(name, spread(found.sides), style) for name, style, found in by_class
    ]
    ratio_rows = [
        Row(name, spread(found.ratios), style) for name, style, found in by_class
    ]
    return [
        figure('Size', size, _doublings_chart(sides, 2, _plain, _SIDE, size)),
        _ranges_figure('Size by class', side_rows, _plain, _SIDE),
        figure('Shape', shape, _doublings_chart(ratios, 4, _ratio, _SHAPE, shape)),
        _ranges_figure('Shape by class', ratio_rows, _ratio, _SHAPE),
    ]


def _ranges_figure(
    title: str, rows: Sequence[Row], marks: Callable[[float], str], axis: str
) -> Html | None:
    if len(rows) < 2:
        return None
    return figure(title, _RANGES, ranges(rows, marks, axis, title))


def _doublings_chart(
    histogram: Histogram,
    bins: int,
    marks: Callable[[float], str],
    axis: str,
    label: str,
) -> Html:
    ticks = [
        Tick(place, marks(edge))
        for place, edge in enumerate(histogram.edges)
        if place % bins == 0
    ]
    ticks = ticks[:: -(-len(ticks) // 9)]
    return columns(histogram.counts, ticks, axis, 'boxes', label)


def _plain(value: float) -> str:
    return f'{value:g}'


def _ratio(value: float) -> str:
    more = max(value, 1 / value)
    text = f'{more:.2g}' if more < 10 else f'{more:.0f}'
    return f'{text}:1' if value >= 1 else f'1:{text}'


def _size_table(by_class: Sequence[Named]) -> Html:
    rows: list[list[Content]] = []
    for name, style, boxes in by_class:
        middle = np.median(boxes.corners[:, 2:] - boxes.corners[:, :2], axis=0)
        groups = [number(count) for count in size_groups(boxes)]
        size = number(extent(*middle.round()))
        rows.append([class_name(name, style), size, *groups])
    return table(
        'Median width and height in pixels, and how many are small (an area below that '
        'of 32 by 32 pixels), medium and large (96 by 96 and more), as in COCO.',
        ['Class', 'median', 'small', 'medium', 'large'],
        rows,
    )


def _map(name: str, style: str, boxes: Boxes) -> Html:
    grid = position_grid(boxes.centres)
    return element(
        'figure',
        heat_map(grid, style, f'Positions of {clipped(name, 60)}'),
        element('figcaption', clipped(name, 60)),
    )


MOST_PLACES = 40
"""Places of each kind of finding that the page has, where there are few kinds;
the rest are counted."""

_AT_ONCE = 3
_IN_ALL = 200
_MOST_KINDS = 60


def findings_section(report: Report) -> Html:
    """Write findings by severity and kind, the gravest first."""
    kinds = [
        (severity, code, found)
        for severity, codes in by_severity(report.findings).items()
        for code, found in codes.items()
    ][:_MOST_KINDS]
    most = min(MOST_PLACES, max(_AT_ONCE, _IN_ALL // max(len(kinds), 1)))
    groups = [_group(*kind, most) for kind in kinds]
    return section(
        'findings',
        'Findings',
        None if groups else element('p', 'The check has nothing to say.'),
        element('div', groups, class_='findings'),
        element(
            'p',
            'All of them: ',
            element('code', f'python tools/check.py {report.config} --json FILE'),
        ),
    )


def _group(severity: str, code: str, found: Sequence[Finding], most: int) -> Html:
    hints = {finding.hint for finding in found}
    hint = found[0].hint if len(hints) == 1 else ''
    places = [_place(finding, own_hint=not hint) for finding in found[:most]]
    count = plural(len(found), 'place') if len(found) > 1 else None
    more = None
    if len(places) > _AT_ONCE:
        rest = len(found) - most
        more = element(
            'details',
            element('summary', f'{len(places) - _AT_ONCE} more'),
            element('ul', places[_AT_ONCE:]),
            element('p', f'and {rest:,} more') if rest > 0 else None,
        )
    return element(
        'article',
        element(
            'h3',
            element('span', severity, class_=f'mark {severity}'),
            code,
            element('small', count) if count else None,
        ),
        element('p', clipped(hint, 600), class_='hint') if hint else None,
        element('ul', places[:_AT_ONCE]),
        more,
        class_='finding',
    )


def _place(finding: Finding, own_hint: bool) -> Html:
    where = [finding.split] if finding.split else []
    if finding.file:
        where.append(clipped(short_path(finding.file), 200))
    if finding.object is not None:
        where.append(f'object {finding.object}')
    return element(
        'li',
        element('code', ' · '.join(where)) if where else None,
        element('span', clipped(finding.message, 400)),
        element('span', clipped(finding.hint, 200), class_='hint')
        if own_hint and finding.hint
        else None,
    )


def short_path(path: str) -> str:
    """Return a path as it is seen from the working directory, where it is below."""
    inside = os.path.abspath(path).startswith(os.path.join(os.getcwd(), ''))
    return os.path.relpath(path) if inside else path


MOST_REPEATS = 8
"""Groups of repeated images that are shown; the rest are counted."""

_IN_GROUP = 4
_IN_LEGEND = 20


def examples_section(report: Report) -> Html | None:
    """Show images with their boxes; None where there are none."""
    side = SIDE if report.is_detection else SIDE // 2
    shown = [_shown(one, report, side) for one in report.examples]
    if not shown:
        return None
    return section(
        'examples',
        'Examples',
        element('p', 'As annotated; each class in turn, the rarest first.'),
        legend(list(report.styles.items())[:_IN_LEGEND])
        if report.is_detection
        else None,
        element('div', shown, class_='gallery' if report.is_detection else 'tiles'),
    )


def pipeline_section(report: Report) -> Html:
    """Show images before and after the training pipeline."""
    if not report.augmented:
        text = clipped(report.no_pipeline or 'there is nothing to show', 400)
        return section(
            'pipeline',
            'Training pipeline',
            element('p', f'Not shown: {text}.', class_='refusal'),
        )
    return section(
        'pipeline',
        'Training pipeline',
        element(
            'p',
            'Images as they are on disk, and twice as training sees them.',
        ),
        [_augmented(one) for one in report.augmented],
    )


def repeats_section(report: Report) -> Html:
    """Show images that are there more than once, side by side."""
    count = len(report.repeats)
    text = f'{plural(count, "group")} of images that show the same.'
    if count > 1:
        text += ' Identical ones come first.'
    rest = count - MOST_REPEATS
    return section(
        'repeats',
        'Duplicates',
        element('p', text if count else 'No image is there twice.'),
        [_repeats(group, report) for group in report.repeats[:MOST_REPEATS]],
        element('p', f'{plural(rest, "more group")} not shown.') if rest > 0 else None,
    )


def _augmented(one: Augmented) -> Html:
    name = _base(one.name)
    label = f' · {clipped(one.label, 60)}' if one.label else ''
    outputs = [
        _figure(picture, f'output {number}', f'{name} behind the pipeline')
        for number, picture in enumerate(one.after, 1)
    ]
    if not outputs:
        outputs = [element('p', 'Nothing is left of it; training takes another image.')]
    return element(
        'div',
        _figure(one.before, f'{name}{label}', f'{name} as it is on disk'),
        outputs,
        class_='before-after',
        style=_picture_frame(picture.size for picture in (one.before, *one.after)),
    )


def _repeats(group: Repeats, report: Report) -> Html:
    kind = 'identical pixels' if group.identical else 'nearly identical'
    marks: list[Content] = [element('span', kind, class_='mark')]
    if group.conflict:
        what = 'boxes differ' if report.is_detection else 'classes differ'
        marks.append(element('span', what, class_='mark warning'))
    if group.across:
        marks.append(element('span', 'in several splits', class_='mark error'))
    rest = len(group.images) - _IN_GROUP
    shown = group.images[:_IN_GROUP]
    paths = [one.image.image or '' for one in shown]
    side = SIDE * 3 // 4
    return element(
        'article',
        element('p', marks, class_='marks'),
        element(
            'div',
            [_shown(one, report, side) for one in shown],
            class_='pair',
            style=_picture_frame(
                report.sizes[path] for path in paths if path in report.sizes
            ),
        ),
        element('p', f'and {rest:,} more') if rest > 0 else None,
    )


def _shown(one: Shown, report: Report, side: int) -> Html:
    outlines = _outlines(one, report.styles)
    picture = load_picture(one.image.image, outlines, side)
    name = _base(one.image.image or one.image.name)
    if one.image.label is not None:
        what = clipped(one.image.label, 60)
    else:
        counts = Counter(one.names).most_common(4)
        what = ', '.join(f'{count} {clipped(n, 30)}' for n, count in counts)
        what = what or 'no objects'
    caption = [element('b', name), element('span', f'{one.part} · {what}')]
    if picture is None:
        text = element('p', 'It cannot be shown.')
        return element('figure', text, element('figcaption', caption))
    return _figure(picture, caption, f'{name}: {what}')


def _figure(picture: Picture, caption: Content, label: str) -> Html:
    size = extent(*picture.size)
    if picture.boxes > MOST_BOXES:
        size += f' · {MOST_BOXES} of {picture.boxes:,} boxes drawn'
    return element(
        'figure',
        draw_picture(picture, label),
        element('figcaption', caption, element('small', size)),
    )


def _picture_frame(sizes: Iterable[tuple[int, int]]) -> str:
    """Fit the frames of a row to its widest image."""
    ratio = max((width / height for width, height in sizes), default=1.0)
    return f'--frame: {min(max(ratio, 0.75), 1.8):.2f}'


def _outlines(one: Shown, styles: dict[str, str]) -> list[Outline]:
    shift = 1.0 if one.member.one_based else 0.0
    outlines = []
    for record in one.image.boxes:
        x1, y1, x2, y2 = record.box
        style = styles.get(record.name, 'unknown')
        style += ' difficult' if record.difficult else ''
        box = (min(x1, x2) - shift, min(y1, y2) - shift, max(x1, x2), max(y1, y2))
        outlines.append(Outline(box, record.name, style))
    return outlines


def _base(path: str) -> str:
    return clipped(os.path.basename(path), 60)


MOST_BYTES = 5_000_000
"""Nothing in the page grows with the data beyond this: pictures are limited in
number and in size, lists and names in length."""


def write_report(
    config: str,
    options: Mapping[str, Any] | None = None,
    out: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Look at a config's data, and write the page.

    Args:
        config: The leaf.
        options: What ``--cfg-options`` sets, by dotted name.
        out: The file; by default ``work_dirs/<config>/dataset_report.html``.
        progress: Called with the number of files read, and of all of them.

    Returns:
        A line on what was written.

    Raises:
        ConfigError: The config can't be read.
        UserError: The page can't be written.
    """
    report = gather(config, options, progress)
    stem = os.path.splitext(os.path.basename(config))[0]
    path = out or os.path.join('work_dirs', stem, 'dataset_report.html')
    size = write_page(path, render(report))
    images = sum(len(part.images) for part in report.parts)
    return f'{path}: {size / 1e6:.1f} MB; {summary(report.findings)}; {images} images'


def render(report: Report) -> str:
    """Return the page: one file that needs no other and runs nothing."""
    titled = (
        ('findings', 'Findings', findings_section(report)),
        ('classes', 'Classes', classes_section(report)),
        ('images', 'Images', images_section(report)),
        ('boxes', 'Boxes', boxes_section(report)),
        ('examples', 'Examples', examples_section(report)),
        ('pipeline', 'Training pipeline', pipeline_section(report)),
        ('repeats', 'Duplicates', repeats_section(report)),
    )
    return frame_page(
        clipped(report.dataset or 'Data set'),
        'data set report',
        [element('p', _origin(report), class_='source'), _facts(report)],
        [Section(name, title, body) for name, title, body in titled if body],
        report.colours[:MOST_COLOURS],
        _frame(report),
    )


def write_page(path: str, text: str) -> int:
    """Write a page, whole or not at all, and the folders that lead to it.

    Returns:
        Its size in bytes.

    Raises:
        UserError: It can't be written.
    """
    data = encode_page(text, MOST_BYTES)
    folder, name = os.path.split(os.path.abspath(path))
    write_files(folder, {name: data})
    return len(data)


def _origin(report: Report) -> str:
    root = short_path(report.root) if report.root else 'no data'
    return f'{clipped(short_path(report.config), 200)} · {clipped(root, 200)}'


def _frame(report: Report) -> float:
    """Return the width over the height of most images, for the frames of pictures."""
    sizes = list(report.sizes.values())
    ratio = median(width / height for width, height in sizes) if sizes else 1.0
    return min(max(ratio, 1.0), 1.8)


def _facts(report: Report) -> Html:
    severities = Counter(finding.severity for finding in report.findings)
    images = [image for part in report.parts for image in part.images]
    numbers = [('images', f'{len(images):,}', '')]
    if report.is_detection:
        count = sum(len(image.boxes) for image in images)
        numbers.append(('objects', f'{count:,}', ''))
    numbers.append(('classes', f'{len(report.classes):,}', ''))
    for severity in SEVERITIES:
        count = severities[severity]
        numbers.append((f'{severity}s', f'{count:,}', severity if count else ''))
    return facts(numbers)
