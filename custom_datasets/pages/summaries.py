"""What a report says in a few plain sentences, and the code that applies it."""

from collections.abc import Iterable, Mapping
from typing import Any

from custom_datasets.config import iter_dicts
from custom_datasets.evaluation.answer_thresholds import AnswerThresholds
from custom_datasets.evaluation.classification import AttributeRow
from custom_datasets.evaluation.classification_report import (
    ClassificationReport,
    ClassifiedClass,
)
from custom_datasets.evaluation.detection import DetectionReport
from custom_datasets.evaluation.detection_errors import BoxErrors
from custom_datasets.evaluation.sets import SetComparison, SetRow, disagree
from custom_datasets.pages.kit import (
    clipped,
    decimal,
    interval,
    plural,
    with_interval,
)

KINDS = {
    'missed': ('missed', 'no box is where the object is'),
    'background': ('background', 'a box where nothing is annotated'),
    'localisation': ('localisation', 'the right class, but the box is too far off'),
    'class': ('class', 'the right place, but another class'),
    'both': ('both', 'another class, and the box is too far off'),
    'duplicate': ('duplicate', 'a second box on an object that is already found'),
}
"""What each kind of error is called, and what it is."""

METRICS = {'top1': 'top-1', 'area_ap50': 'area-AP50'}
"""What the metric of a comparison of sets is called."""

_GOAL = 0.98  # Accuracy of the answers that the sentence on thresholds is about.


_LEAST_AP50 = 0.01  # Boxes at random reach less.


def detection_summary(
    report: DetectionReport, iterations: int | None = None
) -> list[str]:
    """Say how good a detector is, which threshold to take, what fails and why."""
    overall, point = report['overall'], report['thresholds']['overall']
    quality = (
        f'area-AP50 {with_interval(overall["area_ap50"])}, COCO AP '
        f'{with_interval(overall["coco"]["AP"])}, on '
        f'{plural(report["images"], "image")} with '
        f'{plural(report["objects"], "object")}.'
    )
    if detects_nothing(report):
        return [quality, _nothing('', iterations)]
    text = f'Threshold to deploy: {decimal(point["threshold"])}, '
    if point['precision']['value'] is None:
        text += f'{threshold_source(report)}; nothing on the test set reaches it.'
    else:
        text += (
            f'{threshold_source(report)}; at this threshold precision is '
            f'{decimal(point["precision"]["value"])} and recall '
            f'{decimal(point["recall"]["value"])}.'
        )
    sentences = [quality, text]
    worst = worst_class_of_detection(report)
    if worst is not None:
        row = report['per_class'][worst]
        text = (
            f'Worst class: {row["name"]}, with area-AP50 '
            f'{with_interval(row["area_ap50"])}'
        )
        error = main_error(report['errors'], worst)
        if error:
            kind, cost = error
            name, meaning = KINDS[kind]
            text += f'; what costs it most is {name} ({meaning}), {decimal(cost)} of AP'
        sentences.append(f'{text}.')
    return sentences


def detects_nothing(report: DetectionReport) -> bool:
    """Tell whether a detector is no better than boxes at random."""
    return (report['overall']['area_ap50']['value'] or 0.0) < _LEAST_AP50


def only_guesses(report: ClassificationReport) -> bool:
    """Tell whether a classifier finds no more of its classes than guessing would."""
    recall = report['overall']['balanced_accuracy']
    low = recall['value'] if recall['low'] is None else recall['low']
    return (low or 0.0) <= 1 / len(report['classes'])


def _nothing(because: str, iterations: int | None) -> str:
    after = f' in {plural(iterations, "iteration")}' if iterations else ''
    return (
        f'It has learnt next to nothing{after}{because}. Most often the training was '
        'too short: where the loss still falls, train longer. Where it does not, try '
        'another learning rate, and see what tools/check.py finds in the data.'
    )


def worst_class_of_detection(report: DetectionReport) -> int | None:
    """Return the class with the lowest area-AP50; None where there is no choice."""
    values = {
        index: row['area_ap50']['value']
        for index, row in enumerate(report['per_class'])
        if row['area_ap50']['value'] is not None
    }
    return min(values, key=lambda index: values[index]) if len(values) > 1 else None


def main_error(errors: BoxErrors, label: int | None = None) -> tuple[str, float] | None:
    """Return the kind of error that costs most, of a class or of all, and its cost.

    It is the area-AP50 that could be gained; None where no kind costs anything.
    """
    costs = {
        row['kind']: (row if label is None else row['per_class'][label])['dap'] or 0.0
        for row in errors['types']
    }
    kind = max(costs, key=lambda kind: costs[kind])
    return (kind, costs[kind]) if costs[kind] else None


def threshold_source(report: DetectionReport) -> str:
    """Say where the threshold was chosen."""
    return {
        'validation': 'chosen on the validation set',
        'test': 'chosen on the test set itself',
        'default': 'a default, since nothing was found',
    }[report['thresholds']['chosen_on']]


def classification_summary(
    report: ClassificationReport, iterations: int | None = None
) -> list[str]:
    """Say how good a classifier is, what it confuses, and how far to trust it."""
    overall = report['overall']
    quality = (
        f'Top-1 accuracy {with_interval(overall["top1"])}, macro F1 '
        f'{with_interval(overall["macro_f1"])}, on '
        f'{plural(report["images"], "image")}.'
    )
    if only_guesses(report):
        because = (
            f': of a class it finds {with_interval(overall["balanced_accuracy"])}, '
            f'and guessing finds {decimal(1 / len(report["classes"]))}'
        )
        return [quality, _nothing(because, iterations)]
    sentences = [
        quality,
        _worst_class(report),
        _confusion(report),
        calibration_sentence(report),
        temperature_sentence(report),
        _answers(report['thresholds']),
    ]
    return [sentence for sentence in sentences if sentence]


def calibration_sentence(report: ClassificationReport) -> str:
    """Say whether it is right as often as it is confident."""
    before = report['calibration']['before']
    sure, right = before['confidence'], report['overall']['top1']['value'] or 0.0
    error, chance = before['ece']['value'] or 0.0, before['chance']['high']
    text = (
        f'On average its confidence is {decimal(sure)} and its accuracy '
        f'{decimal(right)}; the expected calibration error is '
        f'{with_interval(before["ece"])}'
    )
    if error <= chance:
        return (
            f'{text}. That may be chance: on this many images a calibrated classifier '
            f'shows up to {decimal(chance)}.'
        )
    verdict = 'too sure' if sure > right else 'not sure enough'
    return f'{text}: it is {verdict}, by more than chance explains ({decimal(chance)}).'


def temperature_sentence(report: ClassificationReport) -> str:
    """Say what a temperature gains, or why there is none."""
    temperature = report['calibration']['temperature']
    value, change = temperature['value'], temperature['change']
    if value is None or change is None:
        return temperature['note']
    if temperature_helps(report):
        verdict = 'Use it: it lowers'
    elif (change['low'] or 0.0) > 0:
        verdict = 'Leave it out: it raises'
    else:
        verdict = 'It is not worth using: it does not demonstrably change'
    return (
        f'Temperature {value:.2f}. {temperature["note"]} {verdict} the negative log '
        f'likelihood of the test set ({change["value"]:+.3f}; {change["low"]:+.3f} to '
        f'{change["high"]:+.3f}).'
    )


def temperature_helps(report: ClassificationReport) -> bool:
    """Tell whether a temperature makes the test set likelier, and not by chance."""
    change = report['calibration']['temperature']['change']
    return change is not None and (change['high'] or 0.0) < 0


def worst_class_of_classification(
    report: ClassificationReport,
) -> ClassifiedClass | None:
    """Return the class with the lowest F1; None where none is worse than others."""
    values = [
        (row['f1']['value'], index)
        for index, row in enumerate(report['per_class'])
        if row['f1']['value'] is not None
    ]
    if len(values) < 2 or min(values)[0] == 1:
        return None
    return report['per_class'][min(values)[1]]


def threshold_text(threshold: float) -> str:
    """Write a threshold with enough digits to distinguish it from 1."""
    rounded = decimal(threshold)
    return rounded if threshold == 1 or float(rounded) < 1 else f'{threshold:.9g}'


def _worst_class(report: ClassificationReport) -> str:
    worst = worst_class_of_classification(report)
    if worst is None:
        return ''
    text = f'Worst class: {worst["name"]}, with F1 {with_interval(worst["f1"])}'
    if not worst['predicted']:
        return f'{text}; no image is taken for it.'
    return (
        f'{text}; of its {plural(worst["images"], "image")} '
        f'{decimal(worst["recall"]["value"])} are found, and of those taken for it '
        f'{decimal(worst["precision"]["value"])} are right.'
    )


def _confusion(report: ClassificationReport) -> str:
    frequent = report['confusion']['frequent']
    if not frequent:
        return 'No image is taken for another class.'
    first = frequent[0]
    return (
        f'Most often {first["true"]} is taken for {first["predicted"]}: '
        f'{plural(first["images"], "image")}, {decimal(first["share"])} of '
        f'{first["true"]}.'
    )


def _answers(thresholds: AnswerThresholds) -> str:
    row = next((row for row in thresholds['goals'] if row['goal'] == _GOAL), None)
    if row is None:
        return ''
    if row['threshold'] is None:
        return (
            f'On validation no threshold makes {decimal(_GOAL)} of the answers right.'
        )
    if row['threshold'] == 0:
        return f'On validation {decimal(_GOAL)} are right without a threshold.'
    return (
        f'To have {decimal(_GOAL)} of the answers right on validation, answer only at '
        f'a confidence of at least {threshold_text(row["threshold"])}: on the test set '
        f'this answers {with_interval(row["coverage"])} of the images, and '
        f'{with_interval(row["accuracy"])} of the answers are right.'
    )


def threshold_setting(model: Mapping[str, Any]) -> str | None:
    """Return the setting that drops boxes below a score, by its dotted name.

    Two-stage detectors have it in their second stage, others at the top; those
    without such a threshold (DETR and its kin) have none.
    """
    test = model.get('test_cfg') or {}
    if 'score_thr' in (test.get('rcnn') or {}):
        return 'model.test_cfg.rcnn.score_thr'
    return 'model.test_cfg.score_thr' if 'score_thr' in test else None


def has_anchors(model: Mapping[str, Any]) -> bool:
    """Tell whether a detector has anchors whose sizes can be chosen."""
    return any('AnchorGenerator' in str(part.get('type')) for part in iter_dicts(model))


def predictor_code(
    run: Mapping[str, Any],
    use: str = 'print(result.names, result.scores)',
    **options: Any,
) -> str:
    """Return Python that runs the model of a report on an image.

    ``run`` is that of the report's content; ``options`` are those of the predictor.
    """
    model = [repr(run['config']), repr(run['checkpoint'] or 'CHECKPOINT')]
    model += [f'{name}={value!r}' for name, value in options.items()]
    arguments = ',\n'.join(f'    {argument}' for argument in model)
    return (
        'from custom_datasets import Predictor\n\n'
        f'predictor = Predictor(\n{arguments},\n)\n'
        "result = predictor('image.jpg')\n"
        f'{use}\n'
    )


def temperature_code(report: ClassificationReport, run: Mapping[str, Any]) -> str:
    """Return Python that applies a temperature; nothing where it does not help."""
    temperature = report['calibration']['temperature']['value']
    if temperature is None or not temperature_helps(report):
        return ''
    return predictor_code(run, 'print(result.top(3), predictor.decision.temperature)')


def threshold_code(thresholds: Iterable[float | None], run: Mapping[str, Any]) -> str:
    """Return Python that applies the first threshold; nothing where none is needed."""
    first = next(filter(None, thresholds), None)
    if first is None:
        return ''
    return predictor_code(
        run,
        "print(*result.names or ['have a look'])",
        threshold=float(threshold_text(first)),
        calibrate=False,
    )


def sets_note(sets: SetComparison) -> list[str]:
    """Warn where validation and test differ far beyond their intervals."""
    first = {row['set']: row for row in reversed(sets['rows'])}
    if len(first) < 2 or not disagree(first['validation'], first['test']):
        return []
    return [
        'Validation and test disagree far beyond their intervals: '
        f'{METRICS[sets["metric"]]} {_on_set(first["validation"])} against '
        f'{_on_set(first["test"])}. What was chosen on validation may not hold on the '
        'test set. Causes are images from another source, another mix of classes, or '
        'images of the training set in validation (tools/check.py finds those).'
    ]


def _on_set(row: SetRow) -> str:
    sources = clipped(', '.join(row['sources']), 80)
    return (
        f'{decimal(row["estimate"]["value"])} ({interval(row["estimate"])}) on '
        f'{plural(row["images"], row["set"] + " image")}'
        f'{f", from {sources}" if sources else ""}'
    )


def attributes_sentence(row: AttributeRow) -> str:
    """Say how often an attribute is right."""
    text = f'{row["name"]}: right for {with_interval(row["accuracy"])}'
    if 'mean_absolute_error' not in row:
        return f'{text}.'
    return (
        f'{text}, off by at most 1 for {decimal(row["within_one"]["value"])}; the mean '
        f'absolute error is {with_interval(row["mean_absolute_error"])}.'
    )
