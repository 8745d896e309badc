"""All that is measured of a detector: the report behind its page and report.json."""

from collections.abc import Callable
from typing import Any, Literal, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from custom_datasets.evaluation.average_precision import (
    COCO_METRICS,
    APTables,
    coco_summary,
)
from custom_datasets.evaluation.detection_errors import (
    BoxErrors,
    RankedImages,
    box_errors,
    confusion_matrix,
    judge,
    rank_images,
)
from custom_datasets.evaluation.intervals import (
    LEVEL,
    RESAMPLES,
    Interval,
    Resampling,
    bootstrap,
)
from custom_datasets.evaluation.label_doubts import LabelDoubt, label_doubts
from custom_datasets.evaluation.matching import (
    IOU,
    RANGES,
    Matching,
    find_overlaps,
    match_classwise,
    match_coco,
    of_size,
)
from custom_datasets.evaluation.results import (
    DetectionResults,
    Floats,
    Integers,
    require_same_classes,
)
from custom_datasets.evaluation.thresholds import (
    RULE,
    SIZES,
    Choice,
    Choices,
    Curves,
    choose,
    count,
    count_sizes,
    curves,
    rates,
)

_BACKGROUND = 'background'

_LISTED_FROM = 0.5
"""Share of the threshold from which on predictions on single images are listed."""


class ObjectCounts(TypedDict):
    """``ignored`` objects are annotated, but count neither as found nor as missed."""

    objects: int
    ignored: int
    predictions: int


class SetCounts(ObjectCounts):
    """How many images, objects and predictions a set has."""

    images: int


class Overall(TypedDict):
    """Mean average precision; ``coco`` has the names of ``COCO_METRICS``."""

    area_ap50: Interval
    coco: dict[str, Interval]


class DetectedClass(ObjectCounts):
    """Average precision of one class."""

    name: str
    area_ap50: Interval
    coco_ap: Interval


class OperatingPoint(TypedDict):
    """What is found on the test set, each class matched by itself."""

    precision: Interval
    recall: Interval
    f1: Interval
    found: int
    false: int
    missed: int


class ChosenPoint(OperatingPoint):
    """An operating point; no ``chosen_f1`` where a class took the overall threshold."""

    threshold: float
    chosen_f1: float | None


class Thresholds(TypedDict):
    """The thresholds to deploy, ``'default'`` where there was nothing to choose on."""

    chosen_on: Literal['validation', 'test', 'default']
    iou: float
    rule: str
    overall: ChosenPoint
    per_class: list[ChosenPoint]
    together: OperatingPoint


class Confusion(TypedDict):
    """Counts by true (rows) and predicted class (columns), the last is background."""

    threshold: float
    iou: float
    names: list[str]
    counts: list[list[int]]


class SizeRow(TypedDict):
    """COCO's ``ap`` of a range of sizes, and ``recall`` at the overall threshold."""

    objects: int
    ap: Interval
    recall: Interval


class Sizes(TypedDict):
    """Small, medium and large objects; ``ranges`` are areas in square pixels."""

    threshold: float
    ranges: dict[str, list[float | None]]
    overall: dict[str, SizeRow]
    per_class: list[dict[str, SizeRow]]


class DetectionReport(SetCounts):
    """Everything that is measured of a detector on a test set, ready for JSON.

    Scores, IoUs and shares are 0 to 1, boxes zero-based ``xyxy`` in pixels; numbers
    are rounded to six digits. ``per_class`` lists have the order of ``classes``.
    """

    task: Literal['detection']
    classes: list[str]
    validation: SetCounts | None
    interval: Resampling
    overall: Overall
    per_class: list[DetectedClass]
    thresholds: Thresholds
    curves: Curves
    confusion: Confusion
    sizes: Sizes
    errors: BoxErrors
    images_ranked: RankedImages
    label_doubts: list[LabelDoubt]


def detection_report(
    test: DetectionResults,
    val: DetectionResults | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> DetectionReport:
    """Measure everything, with thresholds chosen on the validation set.

    Without one they are chosen on the test set, which flatters them.
    """
    require_same_classes(test, val)
    overlaps = find_overlaps(test)
    matching = match_classwise(test, overlaps)
    if val is None:
        choices = choose(test, matching)
    else:
        choices = choose(val, match_classwise(val, find_overlaps(val)))
    tables = APTables(test, matching, match_coco(test, overlaps))
    measure = _metrics(test, matching, tables, choices)
    estimates = _estimates(measure, len(test.images), resamples, seed)
    threshold = choices.overall.threshold
    verdicts = judge(test, overlaps, threshold)
    report: DetectionReport = {
        'task': 'detection',
        'classes': list(test.classes),
        **_set_counts(test),
        'validation': None if val is None else _set_counts(val),
        'interval': {'level': LEVEL, 'resamples': resamples, 'seed': seed},
        'overall': {
            'area_ap50': estimates['area_ap50'][0],
            'coco': dict(zip(COCO_METRICS, estimates['coco'], strict=True)),
        },
        'per_class': [
            {
                'name': name,
                **_object_counts(test, label),
                'area_ap50': estimates['area_ap50'][1 + label],
                'coco_ap': estimates['coco_ap'][0, label],
            }
            for label, name in enumerate(test.classes)
        ],
        'thresholds': _thresholds(test, matching, choices, estimates, val is not None),
        'curves': curves(test, matching),
        'confusion': {
            'threshold': threshold,
            'iou': IOU,
            'names': [*test.classes, _BACKGROUND],
            'counts': confusion_matrix(test, verdicts).tolist(),
        },
        'sizes': _sizes(test, estimates, threshold),
        'errors': box_errors(test, overlaps, matching, threshold),
        'images_ranked': rank_images(
            test, verdicts, judge(test, overlaps, _LISTED_FROM * threshold)
        ),
        'label_doubts': label_doubts(test, overlaps, matching, choices.of_classes),
    }
    return cast(DetectionReport, _plain(report))


_Metrics = Callable[[Floats], dict[str, Floats]]
"""Maps weights of images, of shape (images,), to arrays of metrics by name."""

_Estimates = dict[str, NDArray[np.object_]]
"""An :class:`Interval` for each metric, in arrays of the same names and shapes."""


def _metrics(
    results: DetectionResults, matching: Matching, tables: APTables, choices: Choices
) -> _Metrics:
    """Prepare all metrics for any weights of the images.

    The function returns ``area_ap50`` (1 + classes,), ``coco`` (6,), ``coco_ap``
    (ranges, classes), ``size_recall`` (sizes, 1 + classes), all classes first, and
    precision, recall and F1 along the first axis of ``overall`` (3,), ``per_class``
    (3, classes) and ``together`` (3,).
    """
    same = np.full(len(results.classes), choices.overall.threshold)
    overall = count(results, matching, same).sum(axis=2)
    per_class = count(results, matching, choices.of_classes)
    sizes = count_sizes(results, matching, choices.overall.threshold)
    sizes = np.concatenate([sizes.sum(axis=3, keepdims=True), sizes], axis=3)
    counts = [table.astype(float) for table in (overall, per_class, sizes)]

    def measure(weights: Floats) -> dict[str, Floats]:
        grid = tables.coco_grid(weights)
        whole, single, sized = (
            np.tensordot(weights, table, axes=1) for table in counts
        )
        return {
            'area_ap50': tables.ap50(weights),
            'coco': coco_summary(grid),
            'coco_ap': grid.mean(axis=2),
            'overall': np.array(rates(*whole)),
            'per_class': np.array(rates(*single)),
            'together': np.array(rates(*single.sum(axis=1))),
            'size_recall': rates(sized[0], 0 * sized[0], sized[1]).recall,
        }

    return measure


def _estimates(measure: _Metrics, images: int, resamples: int, seed: int) -> _Estimates:
    plain = measure(np.ones(images))

    def flat(weights: Floats) -> Floats:
        return np.concatenate([part.ravel() for part in measure(weights).values()])

    flat_estimates = iter(bootstrap(flat, images, resamples, seed))
    named = {}
    for name, part in plain.items():
        table = np.empty(part.size, dtype=object)
        for index in range(part.size):
            table[index] = next(flat_estimates).as_json()
        named[name] = table.reshape(part.shape)
    return named


def _set_counts(results: DetectionResults) -> SetCounts:
    return {'images': len(results.images), **_object_counts(results)}


def _object_counts(results: DetectionResults, label: int | None = None) -> ObjectCounts:
    truth, predicted = results.truth, results.predicted
    own = slice(None) if label is None else truth.label == label
    own_predicted = slice(None) if label is None else predicted.label == label
    ignored = int(truth.ignore[own].sum())
    return {
        'objects': len(truth.label[own]) - ignored,
        'ignored': ignored,
        'predictions': len(predicted.label[own_predicted]),
    }


def _thresholds(
    results: DetectionResults,
    matching: Matching,
    choices: Choices,
    estimates: _Estimates,
    validated: bool,
) -> Thresholds:
    same = np.full(len(results.classes), choices.overall.threshold)
    overall = count(results, matching, same).sum(axis=(0, 2))
    per_class = count(results, matching, choices.of_classes).sum(axis=0)
    chosen_on: Literal['validation', 'test'] = 'validation' if validated else 'test'
    return {
        'chosen_on': chosen_on if choices.chosen else 'default',
        'iou': IOU,
        'rule': RULE,
        'overall': _chosen_point(choices.overall, estimates['overall'], overall),
        'per_class': [
            _chosen_point(choice, estimates['per_class'][:, label], per_class[:, label])
            for label, choice in enumerate(choices.per_class)
        ],
        'together': _point(estimates['together'], per_class.sum(axis=1)),
    }


def _chosen_point(
    choice: Choice, rates: NDArray[np.object_], counts: Integers
) -> ChosenPoint:
    return {
        'threshold': choice.threshold,
        'chosen_f1': choice.f1,
        **_point(rates, counts),
    }


def _point(rates: NDArray[np.object_], counts: Integers) -> OperatingPoint:
    precision, recall, f1 = rates
    found, false, objects = map(int, counts)
    return {
        'precision': precision,
        'recall': recall,
        'f1': f1,
        'found': found,
        'false': false,
        'missed': objects - found,
    }


def _sizes(results: DetectionResults, estimates: _Estimates, threshold: float) -> Sizes:
    truth = results.truth
    rows: list[dict[str, SizeRow]] = [{} for _ in range(1 + len(results.classes))]
    for index, size in enumerate(SIZES):
        labels = truth.label[~truth.ignore & of_size(truth.box, size)]
        counts = np.bincount(labels, minlength=len(results.classes))
        objects = [int(counts.sum()), *counts.tolist()]
        mean = estimates['coco'][COCO_METRICS.index(size)]
        aps = [mean, *estimates['coco_ap'][1 + index]]
        recalls = estimates['size_recall'][index]
        for row, number, ap, recall in zip(rows, objects, aps, recalls, strict=True):
            row[size] = {'objects': number, 'ap': ap, 'recall': recall}
    return {
        'threshold': threshold,
        'ranges': {size: _range(*RANGES[size]) for size in SIZES},
        'overall': rows[0],
        'per_class': rows[1:],
    }


def _range(low: float, high: float) -> list[float | None]:
    return [low, None if high == RANGES['all'][1] else high]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 6)
    return value
