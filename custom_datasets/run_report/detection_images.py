"""Pictures of what a detector does: worst and best images, doubtful labels."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.checking.decoding import decode
from custom_datasets.converters.files import Image as Pixels
from custom_datasets.reporting.frame import Section
from custom_datasets.reporting.layout import legend, plural, section
from custom_datasets.reporting.markup import (
    Content,
    Html,
    breakable,
    clipped,
    element,
)
from custom_datasets.reporting.pictures import (
    MOST_BOXES,
    Outline,
    Picture,
    draw_picture,
    make_picture,
)
from custom_datasets.run_report.cells import decimal

WORST, BEST, DOUBTS = 8, 4, 24
"""How many of each are shown."""

_SIDE, _CROP_SIDE = 480, 300
_LEAST_CROP = 120
_IN_LEGEND = 20

Report = Mapping[str, Any]


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
                [_side_by_side(row, styles) for row in rows],
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
