"""What a classifier's report says in a few plain sentences."""

from collections.abc import Mapping
from typing import Any

from custom_datasets.reporting.layout import plural
from custom_datasets.run_report.cells import decimal, with_interval

_GOAL = 0.98
"""Accuracy of the answers that the sentence on thresholds is about."""

Content = Mapping[str, Any]


def classification_summary(content: Content) -> list[str]:
    """Say how good it is, what it confuses, and how far to trust its confidence.

    Args:
        content: What ``classification_report`` returned.
    """
    said = [
        _quality(content),
        _worst(content),
        _confusion(content),
        calibration_sentence(content),
        temperature_sentence(content),
        _threshold(content['thresholds']),
    ]
    return [sentence for sentence in said if sentence]


def calibration_sentence(content: Content) -> str:
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


def temperature_sentence(content: Content) -> str:
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


def temperature_helps(content: Content) -> bool:
    """Tell whether a temperature makes the test set likelier, and not by chance."""
    change = content['calibration']['temperature']['change']
    return change is not None and bool(change['high'] < 0)


def worst_class(content: Content) -> Content | None:
    """Return the class with the lowest F1; None where none is worse than others."""
    rows: list[Content] = content['per_class']
    known = [row for row in rows if row['f1']['value'] is not None]
    worst = min(known, key=lambda row: row['f1']['value'], default=None)
    if worst is None or len(known) < 2 or worst['f1']['value'] == 1:
        return None
    return worst


def threshold_text(threshold: float) -> str:
    """Write a threshold with as many digits as tell it from 1."""
    rounded = decimal(threshold)
    return rounded if threshold == 1 or float(rounded) < 1 else f'{threshold:.9g}'


def _quality(content: Content) -> str:
    overall = content['overall']
    return (
        f'Top-1 accuracy {with_interval(overall["top1"])}, macro F1 '
        f'{with_interval(overall["macro_f1"])}, on '
        f'{plural(content["images"], "image")}.'
    )


def _worst(content: Content) -> str:
    worst = worst_class(content)
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


def _confusion(content: Content) -> str:
    frequent = content['confusion']['frequent']
    if not frequent:
        return 'No image is taken for another class.'
    first = frequent[0]
    return (
        f'Most often {first["true"]} is taken for {first["predicted"]}: '
        f'{plural(first["images"], "image")}, {decimal(first["share"])} of '
        f'{first["true"]}.'
    )


def _threshold(thresholds: Content) -> str:
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
