"""What a detector's report says in a few plain sentences."""

from collections.abc import Iterable, Mapping
from typing import Any

from custom_datasets.evaluation.sets import disagree
from custom_datasets.pages.cells import estimate_cell
from custom_datasets.pages.kit import (
    Content,
    Html,
    Section,
    clipped,
    decimal,
    element,
    number,
    plural,
    section,
    table,
    with_interval,
)

KINDS = {
    'missed': ('missed', 'no box is where the object is'),
    'background': ('background', 'a box where nothing is annotated'),
    'localisation': ('localisation', 'the right class, but the box is too far off'),
    'class': ('class', 'the right place, but another class'),
    'both': ('both', 'another class, and the box is too far off'),
    'duplicate': ('duplicate', 'a second box on an object that is found already'),
}
"""What each kind of error is called, and what it is."""

Numbers = Mapping[str, Any]


def detection_summary(content: Numbers) -> list[str]:
    """Say how good it is, which threshold to take, what fails and why.

    Args:
        content: What ``detection_report`` returned.
    """
    return [
        _detection_quality(content),
        _detection_threshold(content),
        *filter(None, [_detection_worst(content)]),
    ]


def worst_class_of_detection(content: Numbers) -> int | None:
    """Return the class with the lowest area-AP50; None where there is no choice."""
    known = {
        index: row['area_ap50']['value']
        for index, row in enumerate(content['per_class'])
        if row['area_ap50']['value'] is not None
    }
    return min(known, key=lambda index: known[index]) if len(known) > 1 else None


def main_error(errors: Numbers, label: int | None = None) -> Numbers | None:
    """Return the kind of error that costs most; of one class, or of all.

    Returns:
        Its ``kind``, ``count`` and ``dap``, or None where nothing costs.
    """
    rows = [
        {'kind': row['kind'], **(row if label is None else row['per_class'][label])}
        for row in errors['types']
    ]
    worst = max(rows, key=lambda row: row['dap'] or 0.0)
    return worst if worst['dap'] else None


def threshold_source(content: Numbers) -> str:
    """Say where the threshold was chosen."""
    return {
        'validation': 'chosen on the validation set',
        'test': 'chosen on the test set itself',
        'default': 'not chosen, for want of data',
    }[content['thresholds']['chosen_on']]


def _detection_quality(content: Numbers) -> str:
    overall = content['overall']
    return (
        f'area-AP50 {with_interval(overall["area_ap50"])}, COCO AP '
        f'{with_interval(overall["coco"]["AP"])}, on {content["images"]:,} images with '
        f'{content["objects"]:,} objects.'
    )


def _detection_threshold(content: Numbers) -> str:
    point = content['thresholds']['overall']
    return (
        f'Threshold to deploy: {decimal(point["threshold"])}, '
        f'{threshold_source(content)}; at it precision is '
        f'{decimal(point["precision"]["value"])} and recall '
        f'{decimal(point["recall"]["value"])}.'
    )


def _detection_worst(content: Numbers) -> str | None:
    index = worst_class_of_detection(content)
    if index is None:
        return None
    row = content['per_class'][index]
    text = (
        f'Worst class: {row["name"]} with area-AP50 {with_interval(row["area_ap50"])}'
    )
    error = main_error(content['errors'], index)
    if error is None:
        return f'{text}.'
    name, meaning = KINDS[error['kind']]
    return (
        f'{text}; what costs it most is {name} ({meaning}), '
        f'{decimal(error["dap"])} of AP.'
    )


_GOAL = 0.98
"""Accuracy of the answers that the sentence on thresholds is about."""


def classification_summary(content: Numbers) -> list[str]:
    """Say how good it is, what it confuses, and how far to trust its confidence.

    Args:
        content: What ``classification_report`` returned.
    """
    said = [
        _classification_quality(content),
        _classification_worst(content),
        _confusion(content),
        calibration_sentence(content),
        temperature_sentence(content),
        _classification_threshold(content['thresholds']),
    ]
    return [sentence for sentence in said if sentence]


def calibration_sentence(content: Numbers) -> str:
    """Say whether it is as often right as it is sure."""
    before = content['calibration']['before']
    sure, right = before['confidence'], content['overall']['top1']['value']
    text = (
        f'On average its confidence is {decimal(sure)} and its accuracy '
        f'{decimal(right)}; the expected calibration error is '
        f'{with_interval(before["ece"])}'
    )
    chance = decimal(before['chance']['high'])
    if before['ece']['value'] <= before['chance']['high']:
        return (
            f'{text}. That can be chance: on as many images one that is calibrated '
            f'shows up to {chance}.'
        )
    if sure > right:
        return f'{text}: it is too sure, by more than chance explains ({chance}).'
    return f'{text}: it is not sure enough, by more than chance explains ({chance}).'


def temperature_sentence(content: Numbers) -> str:
    """Say what a temperature is worth, or why there is none."""
    found = content['calibration']['temperature']
    if found['value'] is None:
        return str(found['note'])
    change = found['change']
    if temperature_helps(content):
        verdict = 'Use it: it lowers'
    elif change['low'] > 0:
        verdict = 'Leave it: it raises'
    else:
        verdict = 'It is not worth it: it does not demonstrably change'
    return (
        f'Temperature {found["value"]:.2f}. {found["note"]} {verdict} the negative log '
        f'likelihood of the test set ({change["value"]:+.3f}; {change["low"]:+.3f} to '
        f'{change["high"]:+.3f}).'
    )


def temperature_helps(content: Numbers) -> bool:
    """Tell whether a temperature makes the test set likelier, and not by chance."""
    change = content['calibration']['temperature']['change']
    return change is not None and bool(change['high'] < 0)


def worst_class_of_classification(content: Numbers) -> Numbers | None:
    """Return the class with the lowest F1; None where none is worse than others."""
    rows: list[Numbers] = content['per_class']
    known = [row for row in rows if row['f1']['value'] is not None]
    worst = min(known, key=lambda row: row['f1']['value'], default=None)
    if worst is None or len(known) < 2 or worst['f1']['value'] == 1:
        return None
    return worst


def threshold_text(threshold: float) -> str:
    """Write a threshold with as many digits as tell it from 1."""
    rounded = decimal(threshold)
    return rounded if threshold == 1 or float(rounded) < 1 else f'{threshold:.9g}'


def _classification_quality(content: Numbers) -> str:
    overall = content['overall']
    return (
        f'Top-1 accuracy {with_interval(overall["top1"])}, macro F1 '
        f'{with_interval(overall["macro_f1"])}, on '
        f'{plural(content["images"], "image")}.'
    )


def _classification_worst(content: Numbers) -> str:
    worst = worst_class_of_classification(content)
    if worst is None:
        return ''
    text = f'Worst class: {worst["name"]} with F1 {with_interval(worst["f1"])}'
    if not worst['predicted']:
        return f'{text}; no image is taken for it.'
    return (
        f'{text}; of its {plural(worst["images"], "image")} '
        f'{decimal(worst["recall"]["value"])} are found, of what is taken for it '
        f'{decimal(worst["precision"]["value"])} is right.'
    )


def _confusion(content: Numbers) -> str:
    frequent = content['confusion']['frequent']
    if not frequent:
        return 'No image is taken for another class.'
    first = frequent[0]
    return (
        f'Most often {first["true"]} is taken for {first["predicted"]}: '
        f'{plural(first["images"], "image")}, {decimal(first["share"])} of '
        f'{first["true"]}.'
    )


def _classification_threshold(thresholds: Numbers) -> str:
    row = next((row for row in thresholds['goals'] if row['goal'] == _GOAL), None)
    if row is None:
        return ''
    if row['threshold'] is None:
        return (
            f'On validation no confidence makes {decimal(_GOAL)} of the answers right.'
        )
    if row['threshold'] == 0:
        return f'On validation {decimal(_GOAL)} are right without a threshold.'
    return (
        f'To have {decimal(_GOAL)} of the answers right on validation, answer from a '
        f'confidence of {threshold_text(row["threshold"])} on: on the test set that '
        f'answers {with_interval(row["coverage"])} of the images, and '
        f'{with_interval(row["accuracy"])} of the answers are right.'
    )


def threshold_setting(model: Mapping[str, Any]) -> str | None:
    """Return the setting that drops boxes below a score, by its dotted name.

    Two-stage detectors have it in their second stage, others at the top;
    those without such a threshold (DETR's kin) have none.
    """
    test = model.get('test_cfg') or {}
    if 'score_thr' in (test.get('rcnn') or {}):
        return 'model.test_cfg.rcnn.score_thr'
    return 'model.test_cfg.score_thr' if 'score_thr' in test else None


def class_filter(thresholds: Mapping[str, float | None]) -> str:
    """Return Python that keeps what reaches the threshold of its class.

    Args:
        thresholds: By class; None where a class has none, and is dropped.
    """
    rows = '\n'.join(
        f'    {name!r}: {value:.3f},'
        for name, value in thresholds.items()
        if value is not None
    )
    return (
        f'from mmdet.apis import DetInferencer\n\n'
        f'thresholds = {{\n{rows}\n}}\n'
        "detect = DetInferencer('CONFIG', 'CHECKPOINT')\n"
        "names = detect.model.dataset_meta['classes']\n"
        "for found in detect('IMAGE')['predictions']:\n"
        "    for label, score, box in zip(found['labels'], found['scores'], "
        "found['bboxes']):\n"
        "        if score >= thresholds.get(names[label], float('inf')):\n"
        '            print(names[label], score, box)\n'
    )


_INFER = (
    'from mmpretrain import ImageClassificationInferencer\n\n'
    "classify = ImageClassificationInferencer('CONFIG', 'CHECKPOINT')\n"
    "(result,) = classify('IMAGE')\n"
)


def temperature_code(temperature: float) -> list[Html]:
    """Show how to use a temperature."""
    power = f"scores = result['pred_scores'] ** (1 / {temperature:.3f})"
    return [
        element('p', 'To use the temperature:'),
        _code(f'{_INFER}{power}\nscores /= scores.sum()'),
    ]


def threshold_code(thresholds: Iterable[float | None]) -> list[Html]:
    """Show how to use the first threshold; nothing where none is needed."""
    first = next(filter(None, thresholds), None)
    if first is None:
        return []
    sure = f"sure = result['pred_score'] >= {threshold_text(first)}"
    answer = "print(result['pred_class'] if sure else 'have a look')"
    return [
        element('p', 'To use a threshold:'),
        _code(f'{_INFER}{sure}\n{answer}'),
    ]


def _code(text: str) -> Html:
    return element('pre', element('code', text), tabindex='0')


_NAMES = {'top1': 'top-1', 'area_ap50': 'area-AP50'}
_MOST_ROWS = 40

_ITEMS = {
    'accuracy': 'right',
    'within_one': 'off by at most 1',
    'mean_absolute_error': 'mean absolute error',
    'expected_error': 'error of the expected value',
}


def sets_note(sets: Mapping[str, Any]) -> list[str]:
    """Say it where validation and test are apart far beyond their intervals.

    Args:
        sets: What ``compare_sets`` returned.
    """
    first = {row['set']: row for row in reversed(sets['rows'])}
    if len(first) < 2 or not disagree(first['validation'], first['test']):
        return []
    name = _NAMES[sets['metric']]
    said = ' against '.join(
        f'{decimal(row["estimate"]["value"])} ({_range(row["estimate"])}) on '
        f'{plural(row["images"], f"{which} image")}{_origin(row["sources"])}'
        for which, row in ((key, first[key]) for key in ('validation', 'test'))
    )
    return [
        f'Validation and test disagree far beyond their intervals: {name} {said}. What '
        'was chosen on validation may not hold there. It comes of images of another '
        'source, another mix of classes, or of images of the training set in '
        'validation (tools/check.py finds those).'
    ]


def sets_sections(content: Mapping[str, Any]) -> list[Section]:
    """Write the sections for which there is something to say.

    Args:
        content: What ``report.json`` holds.
    """
    found = []
    if len(content.get('sets', {}).get('rows', ())) > 1:
        found.append(Section('sets', 'Sets', _sets(content['sets'])))
    if content.get('attributes'):
        found.append(Section('attributes', 'Attributes', _attributes(content)))
    return found


def attributes_sentence(row: Mapping[str, Any]) -> str:
    """Say in a sentence how far an attribute is right."""
    text = f'{row["name"]}: right for {with_interval(row["accuracy"])}'
    if 'mean_absolute_error' not in row:
        return f'{text}.'
    return (
        f'{text}, off by at most 1 for {decimal(row["within_one"]["value"])}; the mean '
        f'absolute error is {with_interval(row["mean_absolute_error"])}.'
    )


def _sets(sets: Mapping[str, Any]) -> Html:
    rows: list[list[Content]] = [
        [
            row['set'],
            element('td', clipped(', '.join(row['sources']), 80), class_='words'),
            number(row['images']),
            estimate_cell(row['estimate']),
        ]
        for row in sets['rows'][:_MOST_ROWS]
    ]
    return section(
        'sets',
        'Sets and sources',
        table(
            'How far what holds on one set holds on another. A source is what '
            'sources.txt in the folder of the data calls it.',
            ['Set', 'source', 'images', _NAMES[sets['metric']]],
            rows,
        ),
    )


def _attributes(content: Mapping[str, Any]) -> Html:
    rows: list[list[Content]] = [
        [
            clipped(f'{row["name"]}: {text}', 80),
            number(with_interval(row[item])),
        ]
        for row in content['attributes']
        for item, text in _ITEMS.items()
        if item in row
    ]
    return section(
        'attributes',
        'Attributes',
        table(
            'What classes stand for, each by itself. Errors are in the unit of the '
            "attribute's values; the expected value weighs all classes by their "
            'probability.',
            ['', f'value and {content["interval"]["level"]:.0%} interval'],
            rows,
        ),
    )


def _range(estimate: Mapping[str, float]) -> str:
    return f'{estimate["low"]:.3f} to {estimate["high"]:.3f}'


def _origin(sources: list[str]) -> str:
    return f', of {clipped(", ".join(sources), 80)}' if sources else ''
