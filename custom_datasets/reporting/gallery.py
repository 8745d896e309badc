"""The parts of the page that show images: examples, the pipeline, repeats."""

import os
from collections import Counter
from collections.abc import Iterable

from custom_datasets.reporting.augmentation import Augmented
from custom_datasets.reporting.gather import Report
from custom_datasets.reporting.layout import legend, plural, section
from custom_datasets.reporting.markup import Content, Html, clipped, element, extent
from custom_datasets.reporting.pictures import (
    MOST_BOXES,
    SIDE,
    Outline,
    Picture,
    draw_picture,
    load_picture,
)
from custom_datasets.reporting.samples import Repeats, Shown

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
        style=_frame(picture.size for picture in (one.before, *one.after)),
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
            style=_frame(report.sizes[path] for path in paths if path in report.sizes),
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


def _frame(sizes: Iterable[tuple[int, int]]) -> str:
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
