"""All that is measured of a detector, as one dictionary for a page and a file."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom_datasets.errors import UserError
from custom_datasets.evaluation.average_precision import (
    COCO_METRICS,
    APTables,
    coco_summary,
)
from custom_datasets.evaluation.detection_errors import (
    BACKGROUND_NAME,
    box_errors,
    confusion_matrix,
    judge,
    label_doubts,
    rank_images,
)
from custom_datasets.evaluation.intervals import LEVEL, RESAMPLES, bootstrap
from custom_datasets.evaluation.matching import (
    IOU,
    RANGES,
    Matching,
    areas,
    find_overlaps,
    match_classwise,
    match_coco,
)
from custom_datasets.evaluation.results import DetectionResults, Floats, Integers
from custom_datasets.evaluation.thresholds import (
    RULE,
    SIZES,
    Choice,
    Choices,
    choose,
    count,
    count_sizes,
    curves,
    rates,
)

Metrics = Callable[[Floats], dict[str, Floats]]
"""Maps weights of images, of shape (images,), to arrays of metrics by name."""


def metrics(
    results: DetectionResults, matching: Matching, tables: APTables, choices: Choices
) -> Metrics:
    """Prepare all metrics for any weights of the images.

    Args:
        results: Truth and predictions.
        matching: Of each class by itself.
        tables: Of the results.
        choices: The thresholds to deploy.

    Returns:
        A function whose arrays are ``area_ap50`` (1 + classes,), ``coco`` (6,),
        ``coco_ap`` (ranges, classes), and rates, where the first axis is
        precision, recall and F1: ``overall`` (3,), ``per_class`` (3, classes),
        ``together`` (3,); and ``size_recall`` (sizes, 1 + classes), all classes
        first.
    """
    same = np.full(len(results.classes), choices.overall.threshold)
    overall = count(results, matching, same).sum(axis=2)
    per_class = count(results, matching, choices.of_classes)
    sizes = count_sizes(results, matching, choices.overall.threshold)
    sizes = np.concatenate([sizes.sum(axis=3, keepdims=True), sizes], axis=3)
    tables_of_counts = [table.astype(float) for table in (overall, per_class, sizes)]

    def measure(weights: Floats) -> dict[str, Floats]:
        grid = tables.coco_grid(weights)
        whole, single, sized = (
            np.tensordot(weights, table, axes=1) for table in tables_of_counts
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


def estimates(
    measure: Metrics, images: int, resamples: int, seed: int
) -> dict[str, Any]:
    """Put intervals around all metrics.

    Args:
        measure: What :func:`metrics` returns.
        images: How many there are.
        resamples: How often they are drawn anew.
        seed: Of the drawing.

    Returns:
        For each name an array of the same shape, of estimates as dictionaries.
    """
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


Estimates = dict[str, NDArray[np.object_]]


def detection_report(
    test: DetectionResults,
    val: DetectionResults | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure everything.

    Args:
        test: The test set, which everything is measured on.
        val: The validation set, which thresholds are chosen on; without it the
            test set, which flatters them.
        resamples: How often images are drawn anew for intervals.
        seed: Of the drawing.

    Returns:
        What ``json`` can write, with None for what is not defined, rounded to
        six digits. Lists ``per_class`` have the order of ``classes``. An
        *estimate* is a dictionary of ``value``, ``low`` and ``high`` (95 %
        interval). Scores, IoUs and shares are 0 to 1, boxes zero-based ``xyxy``
        in pixels, ``index`` counts the images of the test set.

        - ``task``: ``'detection'``; ``classes``: names.
        - ``images``, ``objects``, ``ignored`` (annotated, but not counted) and
          ``predictions`` of the test set; ``validation``: the same, or None.
        - ``interval``: ``level``, ``resamples``, ``seed``.
        - ``overall``: estimates ``area_ap50`` and ``coco``, for each of ``AP``,
          ``AP50``, ``AP75``, ``small``, ``medium``, ``large``.
        - ``per_class``: ``name``, counts as above, estimates ``area_ap50`` and
          ``coco_ap``.
        - ``thresholds``: ``chosen_on`` (``'validation'``, ``'test'`` or
          ``'default'``, where nothing is found), ``iou``, ``rule``, ``overall``
          and ``per_class``: ``threshold``, ``chosen_f1`` (F1 on the set that it
          was chosen on; None where the class had to take the overall one), and
          on the test set the counts ``found``, ``false`` and ``missed`` and the
          estimates ``precision``, ``recall``, ``f1``; ``together``: these of all
          classes, each at its own threshold. Each class is matched by itself.
        - ``curves``: ``thresholds``, and along them for ``overall`` and
          ``per_class`` the lists ``f1``, ``precision`` and ``recall``; a class
          has ``pr`` too: ``recall``, ``precision``, ``score``
          (:func:`~custom_datasets.evaluation.thresholds.precision_recall`).
        - ``confusion``: at the overall ``threshold`` and ``iou``: ``names``,
          the classes and background; ``counts``, a row for each true class
          (:func:`~custom_datasets.evaluation.detection_errors.confusion_matrix`).
        - ``sizes``: ``threshold``; ``ranges`` of areas in square pixels;
          ``overall`` and ``per_class``: for each size ``objects`` and the
          estimates ``ap`` (COCO's) and ``recall`` (IoU 0.5, overall threshold).
        - ``errors``: :func:`~custom_datasets.evaluation.detection_errors.box_errors`.
        - ``images_ranked``: ``threshold``, ``worst`` and ``best``, each image with
          ``image``, ``path``, ``index``, ``size``, the counts ``correct``,
          ``missed``, ``false`` and ``confused``, ``f1``, and its boxes: ``truth``
          (``label``, ``box``, ``verdict``: found, missed, confused or ignored)
          and ``predicted`` (``score`` as well; correct, confused, false or
          ignored).
        - ``label_doubts``: ``kind``, the image as above, ``box``, ``sure``,
          ``score``, ``predicted``, ``annotated``, ``annotated_box``, ``sentence``
          (:func:`~custom_datasets.evaluation.detection_errors.label_doubts`).

    Raises:
        UserError: The sets have different classes.
    """
    if val is not None and val.classes != test.classes:
        raise UserError(
            'the classes of the validation set differ from those of the test set: '
            f'{", ".join(val.classes)} against {", ".join(test.classes)}'
        )
    overlaps = find_overlaps(test)
    matching = match_classwise(test, overlaps)
    if val is None:
        choices = choose(test, matching)
    else:
        choices = choose(val, match_classwise(val, find_overlaps(val)))
    tables = APTables(test, matching, match_coco(test, overlaps))
    measure = metrics(test, matching, tables, choices)
    known = estimates(measure, len(test.images), resamples, seed)
    threshold = choices.overall.threshold
    same = np.full(len(test.classes), threshold)
    verdicts = judge(test, overlaps, threshold)
    set_name = 'test' if val is None else 'validation'
    report = {
        'task': 'detection',
        'classes': list(test.classes),
        **_contents(test),
        'validation': None if val is None else _contents(val),
        'interval': {'level': LEVEL, 'resamples': resamples, 'seed': seed},
        'overall': {
            'area_ap50': known['area_ap50'][0],
            'coco': dict(zip(COCO_METRICS, known['coco'], strict=True)),
        },
        'per_class': [
            {
                'name': name,
                **_contents(test, label),
                'area_ap50': known['area_ap50'][1 + label],
                'coco_ap': known['coco_ap'][0, label],
            }
            for label, name in enumerate(test.classes)
        ],
        'thresholds': {
            'chosen_on': set_name if choices.chosen else 'default',
            'iou': IOU,
            'rule': RULE,
            **_points(
                choices,
                known,
                count(test, matching, same).sum(axis=(0, 2)),
                count(test, matching, choices.of_classes).sum(axis=0),
            ),
        },
        'curves': {'iou': IOU, **curves(test, matching)},
        'confusion': {
            'threshold': threshold,
            'iou': IOU,
            'names': [*test.classes, BACKGROUND_NAME],
            'counts': confusion_matrix(test, verdicts).tolist(),
        },
        'sizes': {'threshold': threshold, **_sizes(test, known)},
        'errors': box_errors(test, overlaps, matching, threshold),
        'images_ranked': {'threshold': threshold, **rank_images(test, verdicts)},
        'label_doubts': label_doubts(test, overlaps, matching, choices.of_classes),
    }
    plain: dict[str, Any] = _plain(report)
    return plain


def _contents(results: DetectionResults, label: int | None = None) -> dict[str, int]:
    truth, predicted = results.truth, results.predicted
    own = slice(None) if label is None else truth.label == label
    ignored = int(truth.ignore[own].sum())
    return {
        **({'images': len(results.images)} if label is None else {}),
        'objects': len(truth.ignore[own]) - ignored,
        'ignored': ignored,
        'predictions': len(predicted.label)
        if label is None
        else int((predicted.label == label).sum()),
    }


def _points(
    choices: Choices, known: Estimates, overall: Integers, per_class: Integers
) -> dict[str, Any]:
    return {
        'overall': _point(known['overall'], overall, choices.overall),
        'per_class': [
            _point(known['per_class'][:, label], per_class[:, label], choice)
            for label, choice in enumerate(choices.per_class)
        ],
        'together': _point(known['together'], per_class.sum(axis=1)),
    }


def _point(
    rates: NDArray[np.object_], counts: Integers, choice: Choice | None = None
) -> dict[str, Any]:
    found, false, objects = counts
    chosen = {'threshold': choice.threshold, 'chosen_f1': choice.f1} if choice else {}
    counted = {'found': found, 'false': false, 'missed': objects - found}
    return {
        **chosen,
        **dict(zip(('precision', 'recall', 'f1'), rates, strict=True)),
        **{name: int(value) for name, value in counted.items()},
    }


def _sizes(results: DetectionResults, known: Estimates) -> dict[str, Any]:
    truth = results.truth
    area = areas(truth.box)
    rows: list[dict[str, Any]] = [{} for _ in range(1 + len(results.classes))]
    for size, name in enumerate(SIZES):
        low, high = RANGES[name]
        there = ~truth.ignore & (area >= low) & (area <= high)
        counts = np.bincount(truth.label[there], minlength=len(results.classes))
        mean_and_each = [known['coco'][COCO_METRICS.index(name)]]
        mean_and_each += list(known['coco_ap'][1 + size])
        objects = [int(counts.sum()), *counts.tolist()]
        for row, number, ap, recall in zip(
            rows, objects, mean_and_each, known['size_recall'][size], strict=True
        ):
            row[name] = {'objects': number, 'ap': ap, 'recall': recall}
    return {
        'ranges': {name: _range(*RANGES[name]) for name in SIZES},
        'overall': rows[0],
        'per_class': rows[1:],
    }


def _range(low: float, high: float) -> list[float | None]:
    return [low, None if high == RANGES['all'][1] else high]


def _plain(value: Any) -> Any:
    """Round to six digits and put None for NaN."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 6)
    return value
