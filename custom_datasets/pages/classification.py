"""A classifier's page: how good it is, of each class, and how far to trust it."""

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from custom_datasets.pages.cells import estimate_cell, not_shown, worst_fact
from custom_datasets.pages.charts import Axis, Dot, Line, Tick, columns, lines
from custom_datasets.pages.class_maps import ClassMap, Explained, Explanations
from custom_datasets.pages.kit import (
    MOST_CLASSES,
    Content,
    Estimate,
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
    with_interval,
)
from custom_datasets.pages.pictures import (
    draw_picture,
    load_picture,
    make_picture,
    overlay_heat,
)
from custom_datasets.pages.summaries import (
    calibration_sentence,
    temperature_code,
    temperature_helps,
    temperature_sentence,
    threshold_code,
    threshold_text,
    worst_class_of_classification,
)

_BEFORE, _AFTER = 'c0', 'c1'

Report = Mapping[str, Any]


def calibration_section(report: Report) -> Html:
    """Compare how sure it is with how often it is right."""
    found = report['calibration']
    before, after = found['before'], found['after']
    named = [('as it is', _BEFORE)]
    curves = [
        Line('calibrated', 'soft dashed', [(0, 0), (1, 1)]),
        Line('as it is', _BEFORE, _points(before['curve'])),
    ]
    if after:
        named.append(('with the temperature', _AFTER))
        curves.append(Line('with the temperature', _AFTER, _points(after['curve'])))
    return section(
        'calibration',
        'Calibration',
        element('p', calibration_sentence(report)),
        element('p', temperature_sentence(report)),
        legend(named),
        element(
            'div',
            figure(
                'Reliability',
                'How often it is right, by how sure it is. On the dashed line both '
                'agree; below it is too sure.',
                lines(
                    curves,
                    Axis('confidence'),
                    Axis('accuracy'),
                    'Accuracy by confidence',
                    _dots(before['curve'], _BEFORE),
                ),
            ),
            figure(
                'How sure it is',
                f'Images in {found["bins"]} bins of equal width over the confidence; '
                'bins of few images say little in the reliability chart.',
                columns(
                    [row['images'] for row in before['curve']],
                    [Tick(found['bins'] * n / 5, f'{n / 5:.1f}') for n in range(6)],
                    'confidence',
                    'images',
                    'Images by confidence',
                ),
            ),
            class_='figures',
        ),
        _measures(before, after),
        _zeros(found),
        element('details', element('summary', 'The bins'), _bins(before['curve'])),
        temperature_code(found['temperature']['value'])
        if temperature_helps(report)
        else None,
    )


def _measures(before: Report, after: Report | None) -> Html:
    shown = [('as it is', before)]
    if after:
        shown.append(('with the temperature', after))
    rows: list[tuple[str, Callable[[Report], Html]]] = [
        ('Expected calibration error', lambda one: _known(one['ece'])),
        ('the same by chance, up to', lambda one: _plain(one['chance']['high'])),
        ('Negative log likelihood', lambda one: _known(one['nll'])),
        ('Mean confidence', lambda one: _plain(one['confidence'])),
    ]
    return table(
        'The calibration error is the distance of accuracy from confidence, averaged '
        'over the images (Guo et al., ICML 2017). On few images it comes out too '
        'large; its interval allows for that, so it may lie below it.',
        ['', *(name for name, _ in shown)],
        [[name, *(cell(one) for _, one in shown)] for name, cell in rows],
    )


def _known(estimate: Estimate) -> Html:
    return number(decimal(estimate['value']), element('small', interval(estimate)))


def _plain(value: float | None) -> Html:
    return number(decimal(value))


def _bins(curve: Sequence[Report]) -> Html:
    return table(
        'As it is. A bin is above its first number, up to the second.',
        ['Confidence', 'images', 'mean confidence', 'accuracy'],
        [
            [
                f'{decimal(row["low"])} to {decimal(row["high"])}',
                number(row['images']),
                number(decimal(row['confidence'])),
                estimate_cell(row['accuracy']),
            ]
            for row in curve
            if row['images']
        ],
    )


def _zeros(found: Report) -> Html | None:
    if not found['zeros']:
        return None
    return element(
        'p',
        f'Of {found["zeros"]:,} images the true class has probability 0, which counts '
        f'as {found["lowest"]:.1e} in the likelihood.',
        class_='hint',
    )


def _points(curve: Sequence[Report]) -> list[tuple[float, float]]:
    return [
        (row['confidence'], row['accuracy']['value']) for row in curve if row['images']
    ]


def _dots(curve: Sequence[Report], style: str) -> list[Dot]:
    return [
        Dot(
            f'{row["images"]:,} images: confidence {decimal(row["confidence"])}, '
            f'accuracy {with_interval(row["accuracy"])}',
            style,
            row['confidence'],
            row['accuracy']['value'],
        )
        for row in curve
        if row['images']
    ]


_UNSURE = 12
_SIDE = 240


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


def threshold_section(report: Report) -> Html:
    """Say from which confidence on to answer."""
    found = report['thresholds']
    rows = found['goals']
    drawn = figure(
        'Accuracy by coverage',
        'On the test set: the fewer images are answered, the surest first, the more '
        'of the answers are right. Dots: the thresholds of the table.',
        lines(
            [
                Line(
                    'accuracy of the answers',
                    '',
                    [(one['coverage'], one['accuracy']) for one in found['curve']],
                )
            ],
            Axis('share of images answered'),
            Axis('accuracy of the answers'),
            'Accuracy of the answers by share of images answered',
            [
                Dot(
                    f'from {threshold_text(row["threshold"])} on',
                    '',
                    row['coverage']['value'],
                    row['accuracy']['value'],
                )
                for row in rows
                if row['threshold'] is not None and row['images']
            ],
        ),
    )
    chart = element('div', drawn, class_='figures')
    if not rows:
        text = (
            'No threshold is chosen: that takes predictions on a validation set that '
            'is not the test set.'
        )
        return section(
            'threshold',
            'Threshold to deploy',
            element('p', text, class_='refusal'),
            chart,
        )
    return section(
        'threshold',
        'Threshold to deploy',
        element(
            'p',
            'Where a wrong answer is worse than none, answer only from a confidence on '
            'and let somebody look at the rest. Each threshold is the lowest that '
            'reaches its goal on the validation set; the test set shows what it is '
            'worth on new images. It is for the confidence as the model gives it, '
            'without a temperature.',
        ),
        table(
            'On the test set.',
            ['Goal on validation', 'threshold', 'answers', 'answered', 'accuracy'],
            _goal_rows(rows),
        ),
        chart,
        *threshold_code(row['threshold'] for row in rows),
    )


def _goal_rows(rows: Sequence[Report]) -> list[list[Content]]:
    """Write a row for each threshold, with the goals that it reaches."""
    written: list[list[Content]] = []
    for _, alike in groupby(rows, key=lambda row: row['threshold']):
        goals = list(alike)
        texts = [decimal(row['goal']) for row in (goals[0], goals[-1])]
        goal = ' to '.join(dict.fromkeys(texts))
        written.append([f'{goal} right', *_goal_cells(goals[0])])
    return written


def _goal_cells(row: Report) -> list[Html]:
    if row['threshold'] is None:
        return [number('none reaches it')]
    threshold = threshold_text(row['threshold']) if row['threshold'] else 'none needed'
    return [
        number(threshold),
        number(row['images']),
        estimate_cell(row['coverage']),
        estimate_cell(row['accuracy']),
    ]


PAGE_STYLE = """
.trios { display: grid; gap: 28px 36px; margin: 0 0 28px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); }
.trio { display: grid; gap: 8px 12px;
  grid-template-columns: repeat(3, minmax(0, 1fr)); }
.trio figcaption { font-size: .78rem; line-height: 1.35; }
.matrix th, .matrix td { padding: 4px 6px; }
.matrix th:first-child { padding-left: 0; }
section > h3 { margin: 20px 0 8px; }
"""
"""What these sections need beside the style sheet of all pages."""

_IN_MATRIX = 100
_NAMED_COLUMNS = 12


def classification_sections(
    report: Report, explained: Explanations | None = None
) -> list[Section]:
    """Write a classifier's page.

    Args:
        report: The content of ``report.json``. Nothing else is shown, but the
            images that it names.
        explained: Where the classifier looks; None without a checkpoint.
    """
    styles = class_styles(report['classes'])
    return [
        Section('classes', 'Classes', _classes(report, styles)),
        Section('confusion', 'Confusion', _confusion(report, styles)),
        Section('calibration', 'Calibration', calibration_section(report)),
        Section('threshold', 'Threshold', threshold_section(report)),
        Section('mistakes', 'Mistakes', mistakes_section(report, explained)),
        Section('looks', 'Where it looks', looks_section(report, explained)),
    ]


def classification_facts(report: Report) -> list[tuple[str, str, str]]:
    """Return the page's main numbers, for :func:`layout.facts`."""
    worst = worst_class_of_classification(report)
    return [
        ('top-1', decimal(report['overall']['top1']['value']), ''),
        ('macro F1', decimal(report['overall']['macro_f1']['value']), ''),
        *([worst_fact(worst['name'])] if worst else []),
        ('images', f'{report["images"]:,}', ''),
        ('mistakes', f'{report["mistakes"]["count"]:,}', ''),
        ('classes', f'{len(report["classes"]):,}', ''),
    ]


def _classes(report: Report, styles: Mapping[str, str]) -> Html:
    known, overall = report['interval'], report['overall']
    rows: list[list[Content]] = [
        [
            class_name(row['name'], styles[row['name']]),
            number(row['images']),
            number(row['predicted']),
            *(
                estimate_cell(row[key], styles[row['name']])
                for key in ('precision', 'recall', 'f1')
            ),
        ]
        for row in report['per_class'][:MOST_CLASSES]
    ]
    means = [('Top-1', 'top1'), ('Balanced', 'balanced_accuracy')]
    return section(
        'classes',
        'Classes',
        element(
            'p',
            'Recall: the share of a class that is found. Precision: the share of what '
            'is taken for it that is right. F1 weighs both; macro F1 is the mean over '
            'classes, however many images each has, and balanced accuracy that of '
            'recall.',
        ),
        table(
            'Top-1 is the share of all images that is right.',
            ['', 'value'],
            [
                *([name, estimate_cell(overall[key])] for name, key in means),
                ['Macro F1', estimate_cell(overall['macro_f1'])],
            ],
        ),
        table(
            f'Bars, 0 to 1: where {known["level"]:.0%} of {known["resamples"]:,} '
            f'resamples of the {report["images"]:,} images lie; where all or none are '
            'right, the exact bound for so few images. Classes whose bars overlap '
            'widely cannot be told apart.',
            ['Class', 'images', 'predicted', 'precision', 'recall', 'F1'],
            rows,
        ),
        not_shown(len(report['per_class'])),
    )


def _confusion(report: Report, styles: Mapping[str, str]) -> Html:
    frequent = report['confusion']['frequent']
    if not frequent:
        text = element('p', 'No image is taken for another class.')
        return section('confusion', 'Confusion', text)
    rows: list[list[Content]] = [
        [
            class_name(pair['true'], styles[pair['true']]),
            element('td', class_name(pair['predicted'], styles[pair['predicted']])),
            number(pair['images']),
            number(decimal(pair['share'])),
        ]
        for pair in frequent
    ]
    return section(
        'confusion',
        'Confusion',
        _matrix(report, styles),
        table(
            'What is most often taken for what.',
            ['True', 'taken for', 'images', 'share of the class'],
            rows,
        ),
    )


def _matrix(report: Report, styles: Mapping[str, str]) -> Html:
    names, counts = report['classes'], report['confusion']['counts']
    if len(names) > _IN_MATRIX:
        text = f'{len(names):,} classes are too many to show; report.json has them all.'
        return element('p', text)
    numbered = len(names) > _NAMED_COLUMNS
    heads = [str(n) for n in range(1, len(names) + 1)] if numbered else names
    rows: list[list[Content]] = []
    for true, row in enumerate(counts):
        total = max(sum(row), 1)
        prefix = f'{true + 1} ' if numbered else ''
        cells = [
            heat_cell(f'{count:,}', count / total, '' if true == place else 'wrong')
            if count
            else element('td')
            for place, count in enumerate(row)
        ]
        name = clipped(names[true], 30)
        rows.append([class_name(f'{prefix}{name}', styles[names[true]]), *cells])
    text = 'Images by true class (rows) and predicted class (columns'
    text += ', by number)' if numbered else ')'
    return element(
        'div',
        table(
            f'{text}; the darker, the larger its share of the row.', ['', *heads], rows
        ),
        class_='matrix',
    )
