"""Pictures of what a classifier does: its surest mistakes, and where it looks."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.reporting.layout import plural, section
from custom_datasets.reporting.markup import (
    Content,
    Html,
    breakable,
    clipped,
    element,
)
from custom_datasets.reporting.pictures import (
    draw_picture,
    load_picture,
    make_picture,
    overlay_heat,
)
from custom_datasets.run_report.cells import decimal
from custom_datasets.run_report.explanations import ClassMap, Explained, Explanations

_UNSURE = 12
_SIDE = 240

Report = Mapping[str, Any]


def mistakes_section(report: Report, explained: Explanations | None) -> Html:
    """Show the mistakes that it is surest of, and what it is least sure of.

    Args:
        report: The content of ``report.json``.
        explained: Where it looks; None without a checkpoint.
    """
    found = report['mistakes']
    rows = found['confident']
    maps = explained.images if explained else {}
    drawn = [row for row in rows if row['path'] in maps]
    plain = [row for row in rows if row['path'] not in maps]
    unsure = report['unsure'][:_UNSURE]
    text = 'There are no mistakes.'
    if rows:
        text = (
            'The surest first. Where it is wrong and yet sure, either it has learnt '
            'something false or the label is wrong: look at each, and correct the '
            'labels that are.'
        )
        if drawn:
            text += (
                ' Beside the image, what speaks for the class it is taken for and what '
                'for its own, from dark over red to yellow.'
            )
    return section(
        'mistakes',
        'Surest mistakes',
        element('p', text),
        element('div', [_trio(row, maps[row['path']]) for row in drawn], class_='trios')
        if drawn
        else None,
        element('div', list(map(_tile, plain)), class_='tiles') if plain else None,
        element('p', f'Of {plural(found["count"], "mistake")} the surest are shown.')
        if found['count'] > len(rows)
        else None,
        element('h3', 'Least sure, and yet right') if unsure else None,
        element('div', list(map(_tile, unsure)), class_='tiles') if unsure else None,
    )


def looks_section(report: Report, explained: Explanations | None) -> Html:
    """Show what speaks for each class in a typical image of it."""
    title = 'Where it looks'
    if explained is None or explained.refusal:
        text = explained.refusal if explained else 'Maps of where it looks need the '
        text += '' if explained else 'checkpoint, and only predictions were given.'
        return section('looks', title, element('p', text, class_='refusal'))
    shown = [
        (row, explained.images[row['path']])
        for row in report['typical']
        if row['path'] in explained.images
    ]
    return section(
        'looks',
        title,
        element(
            'p',
            'Of each class the image that it is surest of, and rightly so. If the '
            'background lights up rather than the thing itself, it has learnt what '
            'happens to come with the class.',
        ),
        element('div', [_pair(row, one) for row, one in shown], class_='trios'),
        _resolution(shown),
    )


def _resolution(shown: Sequence[tuple[Report, Explained]]) -> Html | None:
    if not shown:
        return None
    rows, columns = shown[0][1].maps[0].heat.shape
    return element(
        'p',
        f'Grad-CAM (Selvaraju et al., ICCV 2017) of the last features, which are '
        f'{columns}\N{MULTIPLICATION SIGN}{rows} places: no finer than that, and a '
        'hint rather than a proof.',
        class_='hint',
    )


def _trio(row: Report, one: Explained) -> Html:
    sure = f'{decimal(row["confidence"])} sure'
    texts = [
        f'for {clipped(row["predicted"], 30)}: {sure}',
        f'for {clipped(row["true"], 30)}: {decimal(row["probability"])} sure',
    ]
    overlays = [
        _overlay(one, part, text) for part, text in zip(one.maps, texts, strict=True)
    ]
    return element(
        'article',
        _heading(row, f'{row["true"]}, taken for {row["predicted"]}'),
        element('div', _seen(one, row), overlays, class_='trio', style=_frame(one)),
    )


def _pair(row: Report, one: Explained) -> Html:
    text = f'for {clipped(row["true"], 30)}: {decimal(row["confidence"])} sure'
    return element(
        'article',
        _heading(row, row['true']),
        element(
            'div',
            _seen(one, row),
            _overlay(one, one.maps[0], text),
            class_='trio',
            style=_frame(one),
        ),
    )


def _heading(row: Report, what: str) -> Html:
    return element('p', element('b', clipped(what, 80)), class_='marks')


def _seen(one: Explained, row: Report) -> Html:
    name = _base(row['path'])
    picture = make_picture(one.pixels, side=_SIDE)
    return element(
        'figure',
        draw_picture(picture, name),
        element('figcaption', element('b', breakable(name))),
    )


def _overlay(one: Explained, part: ClassMap, text: str) -> Html:
    picture = make_picture(overlay_heat(one.pixels, part.heat), side=_SIDE)
    caption: list[Content] = [text]
    if not part.heat.any():
        caption.append(element('small', 'nothing in the image speaks for it'))
    return element(
        'figure',
        draw_picture(picture, f'what speaks {text}'),
        element('figcaption', caption),
    )


def _tile(row: Report) -> Html:
    picture = load_picture(row['path'], side=_SIDE)
    name = _base(row['path'])
    what = f'{clipped(row["true"], 40)} · {decimal(row["confidence"])} sure'
    if row['true'] != row['predicted']:
        what = (
            f'{clipped(row["true"], 40)}, taken for {clipped(row["predicted"], 40)} · '
            f'{decimal(row["confidence"])} sure'
        )
    shown = (
        element('p', 'It cannot be shown.')
        if picture is None
        else draw_picture(picture, f'{name}: {what}')
    )
    caption = element(
        'figcaption', element('b', breakable(name)), element('span', what)
    )
    return element('figure', shown, caption)


def _frame(one: Explained) -> str:
    height, width = one.pixels.shape[:2]
    return f'--frame: {min(max(width / height, 0.75), 1.8):.2f}'


def _base(path: str) -> str:
    return clipped(os.path.basename(path), 60)
