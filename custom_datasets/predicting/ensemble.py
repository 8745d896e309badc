"""Predictions of several models made into one file of predictions."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.calibration import log_probabilities, true_class_loss
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.intervals import estimate, resample
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Floats,
    Results,
    Samples,
    align,
    image_keys,
    read_samples,
    write_samples,
)
from custom_datasets.predicting import fusion
from custom_datasets.predicting.fusion import ModelBoxes, fuse_boxes, pool_scores
from custom_datasets.predicting.predictions import has_truth, sound_results
from custom_datasets.predicting.recipes import IOUS, Freedom, Recipe, search

METHODS = (*fusion.METHODS, *fusion.POOLINGS)


@dataclass(frozen=True)
class Request:
    """What an ensemble is to be made of and how.

    ``paths`` and ``val_paths`` are predictions of the same models in the same order.
    With validation, ``method``, ``weights`` and ``iou`` are searched for where None.
    """

    paths: Sequence[str]
    out: str
    val_paths: Sequence[str] = ()
    val_out: str | None = None
    method: str | None = None
    weights: Sequence[float] | None = None
    iou: float | None = None


@dataclass(frozen=True)
class Members:
    """Several models' predictions, in the first's order of images.

    ``samples`` are those of the first file; ``results`` have truth only where all do.
    """

    paths: tuple[str, ...]
    samples: Samples
    results: tuple[Results, ...]
    has_truth: bool


def make_ensemble(
    request: Request, progress: Callable[[int, int], None] = lambda done, total: None
) -> str:
    """Read, search where there is a validation set, fuse, write, and return a report.

    ``progress`` is called with how many recipes are tried, and the most that can be.
    """
    _check(request)
    members = read_members(request.paths)
    recipe, freedom = _start(request, members.results[0])
    how = 'equal weights' if request.weights is None else 'as given'
    parts, writes = [], []
    if request.val_paths:
        val = _read_validation(request.val_paths, members)
        best = search(
            lambda other: value_of(_apply(other, val)), recipe, freedom, progress
        )
        recipe = best.recipe
        how = (
            f'{_score_names(val.results[0])[0]} on validation '
            f'{abs(best.before):.3f} -> {abs(best.after):.3f} in {best.tried} tries'
        )
        ensemble = _apply(recipe, val)
        parts.append(_table('validation, searched on', val, ensemble))
        if request.val_out:
            writes.append((request.val_out, val, ensemble))
    ensemble = _apply(recipe, members)
    writes.append((request.out, members, ensemble))
    if members.has_truth:
        parts.append(_table('test', members, ensemble))
    for path, made_of, results in writes:
        write_samples(path, with_prediction(made_of.samples, results))
    parts.append('wrote ' + ' and '.join(path for path, _, _ in writes))
    return '\n\n'.join([f'{_describe(recipe)} ({how})', *parts])


def read_members(paths: Sequence[str]) -> Members:
    """Read files of predictions on the same images, with or without truth.

    Raises:
        UserError: One cannot be read or has unsound numbers, or their images, classes
            or truth differ.
    """
    files = [read_samples(path) for path in paths]
    judged = all(map(has_truth, files))
    results = [
        sound_results(path, samples, judged)
        for path, samples in zip(paths, files, strict=True)
    ]
    if all(isinstance(part, DetectionResults) for part in results):
        # Without names, a file knows no more classes than it has boxes of.
        classes = max((part.classes for part in results), key=len)
        results = [replace(part, classes=classes) for part in results]
    aligned = results[:1]
    for path, part in zip(paths[1:], results[1:], strict=True):
        try:
            aligned.append(align(results[0], part)[1])
        except UserError as error:
            raise UserError(f'{paths[0]} and {path}: {error}') from error
    return Members(tuple(paths), files[0], tuple(aligned), judged)


def with_prediction(samples: Samples, results: Results) -> Samples:
    """Return the samples with another prediction, in tensors of the stock types."""
    import torch

    if isinstance(results, ClassificationResults):
        scores = torch.as_tensor(results.scores, dtype=torch.float32)
        return [
            {**sample, 'pred_score': score, 'pred_label': score.argmax(0, True)}
            for sample, score in zip(samples, scores, strict=True)
        ]
    predicted = results.predicted
    columns: dict[str, Any] = {
        'bboxes': torch.as_tensor(predicted.box, dtype=torch.float32),
        'scores': torch.as_tensor(predicted.score, dtype=torch.float32),
        'labels': torch.as_tensor(predicted.label, dtype=torch.int64),
    }
    ends = np.searchsorted(predicted.image, np.arange(len(samples) + 1)).tolist()
    # Cloned: a slice would be pickled with all that it is a slice of.
    return [
        {
            **sample,
            'pred_instances': {
                name: column[start:end].clone() for name, column in columns.items()
            },
        }
        for sample, start, end in zip(samples, ends, ends[1:], strict=False)
    ]


def value_of(results: Results) -> float:
    """Return what a search maximises: COCO AP, or the likelihood."""
    value = float(_metric(results)(np.ones(len(results.images)))[0])
    return value if isinstance(results, DetectionResults) else -value


def score_table(names: Sequence[str], results: Sequence[Results]) -> str:
    """Write a table of the models, the ensemble (the last) and what it adds.

    Intervals are of 95 %, from resampling images. The difference is taken within
    each resample, so it can be clear where intervals overlap.
    """
    metrics = [_metric(part) for part in results]
    images = len(results[0].images)
    plain = np.array([metric(np.ones(images)) for metric in metrics])
    drawn = np.array(
        [
            [metric(weights.astype(float)) for metric in metrics]
            for weights in resample(images)
        ]
    )
    heads = _score_names(results[0])
    single = plain[:-1, 0] if heads[0] != 'NLL' else -plain[:-1, 0]
    best = int(np.argmax(single))
    rows = [
        [name, *_cells(values, column)]
        for name, values, column in zip(
            names, plain, np.moveaxis(drawn, 0, 2), strict=True
        )
    ]
    other = 'it' if len(results) == 2 else 'the best'
    gain = _cells(plain[-1] - plain[best], (drawn[:, -1] - drawn[:, best]).T, '+')
    return _aligned([['', *heads], *rows, [f'ensemble - {other}', *gain]])


def _cells(values: Floats, resampled: Floats, sign: str = '') -> list[str]:
    cells = []
    for value, column in zip(values, resampled, strict=True):
        numbers = [f'{part:{sign}.3f}' for part in estimate(float(value), column)]
        cells.append('{} [{}, {}]'.format(*numbers))
    return cells


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    from rich.console import Console
    from rich.table import Table

    head, *body = rows
    table = Table(*head, box=None, pad_edge=False, padding=(0, 1))
    for row in body:
        table.add_row(*row)
    # Wide enough for any name, and a bracket is no markup.
    console = Console(width=10_000, color_system=None, markup=False, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return '\n'.join(map(str.rstrip, capture.get().splitlines()))


def _score_names(results: Results) -> tuple[str, str]:
    """Name the scores; a search maximises the first, or minimises it if it is NLL."""
    detects = isinstance(results, DetectionResults)
    return ('COCO AP', 'area-AP50') if detects else ('NLL', 'accuracy')


def _metric(results: Results) -> Callable[[Floats], Floats]:
    """Return what maps weights of images to the two scores of ``_score_names``."""
    if isinstance(results, ClassificationResults):
        loss = true_class_loss(log_probabilities(results.scores), results.truth)
        columns: Floats = np.stack([loss, decide(results).correct.astype(float)])
        return lambda weights: columns @ weights / weights.sum()
    tables = ap_tables(results)
    return lambda weights: np.array(
        [tables.coco_ap(weights)[0], tables.ap50(weights)[0]]
    )


def _check(request: Request) -> None:
    inputs = {os.path.realpath(p) for p in (*request.paths, *request.val_paths)}
    outputs = [out for out in (request.out, request.val_out) if out]
    for out in outputs:
        if os.path.realpath(out) in inputs:
            raise UserError(f'{out}: is one of the files to read; name another --out')
    if len({os.path.realpath(out) for out in outputs}) < len(outputs):
        raise UserError(f'{request.out}: --out and --val-out are the same file')
    if request.val_out and not request.val_paths:
        raise UserError(f'{request.val_out}: --val-out needs --val')
    if request.val_paths and len(request.val_paths) != len(request.paths):
        raise UserError(
            f'{len(request.paths)} files of test predictions, but '
            f'{len(request.val_paths)} after --val: name the same models in the same '
            'order'
        )
    weights = request.weights
    if weights is None:
        return
    if len(weights) != len(request.paths):
        raise UserError(f'{len(weights)} weights for {len(request.paths)} files')
    sound = all(np.isfinite(weight) and weight >= 0 for weight in weights)
    if not sound or not any(weights):
        raise UserError('--weights must be 0 or more, and at least one above 0')


def _start(request: Request, results: Results) -> tuple[Recipe, Freedom]:
    detects = isinstance(results, DetectionResults)
    methods = fusion.METHODS if detects else fusion.POOLINGS
    if request.method is not None and request.method not in methods:
        raise UserError(
            f'--method {request.method}: the files are of {_kind(results)}; choose '
            f'one of {", ".join(methods)}'
        )
    if request.iou is not None and not (detects and 0 < request.iou < 1):
        raise UserError('--iou is a threshold for boxes, between 0 and 1')
    iou = (request.iou or fusion.IOU) if detects else None
    weights = request.weights or [1.0] * len(request.paths)
    recipe = Recipe(request.method or methods[0], (), iou).with_weights(weights)
    freedom = Freedom(
        methods=methods if request.method is None else (),
        ious=IOUS if detects and request.iou is None else (),
        weights=request.weights is None,
    )
    return recipe, freedom


def _read_validation(paths: Sequence[str], members: Members) -> Members:
    val = read_members(paths)
    kinds = [_kind(part.results[0]) for part in (val, members)]
    if kinds[0] != kinds[1]:
        raise UserError(
            f'{val.paths[0]} is of {kinds[0]}, and {members.paths[0]} of {kinds[1]}'
        )
    if not val.has_truth:
        raise UserError(
            f'{", ".join(paths)}: some have no ground truth, which a search needs; '
            "this package's configs keep it: PackDetInputs(meta_keys=(..., "
            "'instances'))"
        )
    _refuse_shared_images(val, members)
    return val


def _refuse_shared_images(val: Members, test: Members) -> None:
    """Raise where an image is in both: weights found on it would look too good."""
    searched = {os.path.realpath(path) for path in _image_paths(val)}
    shared = [path for path in _image_paths(test) if os.path.realpath(path) in searched]
    if shared:
        raise UserError(
            f'{val.paths[0]} and {test.paths[0]}: {len(shared)} images are in both, '
            f'for example {shared[0]}; --val takes predictions on the validation set, '
            'the others those on the test set'
        )


def _image_paths(members: Members) -> list[str]:
    return [image.path for image in members.results[0].images if image.path]


def _kind(results: Results) -> str:
    if isinstance(results, DetectionResults):
        return 'a detector'
    return f'a classifier of {len(results.classes)} classes'


def _apply(recipe: Recipe, members: Members) -> Results:
    first, weights = members.results[0], np.array(recipe.weights)
    if isinstance(first, ClassificationResults):
        scores = np.stack(
            [
                part.scores
                for part in members.results
                if isinstance(part, ClassificationResults)
            ]
        )
        return replace(first, scores=pool_scores(scores, weights, recipe.method))
    boxes = _stack_boxes(members.results)
    # As many per image as the heads kept, where that is more than usual.
    counts = np.bincount(boxes.model * len(first.images) + boxes.image)
    most = max(fusion.MOST, int(counts.max(initial=0)))
    assert recipe.iou is not None
    fused = fuse_boxes(boxes, weights, recipe.method, recipe.iou, most)
    return replace(first, predicted=fused)


def _stack_boxes(results: Sequence[Results]) -> ModelBoxes:
    models = [part.predicted for part in results if isinstance(part, DetectionResults)]
    return ModelBoxes(
        np.concatenate([boxes.image for boxes in models]),
        np.concatenate([boxes.label for boxes in models]),
        np.concatenate([boxes.box for boxes in models]),
        np.concatenate([boxes.score for boxes in models]),
        np.repeat(np.arange(len(models)), [len(boxes.score) for boxes in models]),
    )


def _table(part: str, members: Members, ensemble: Results) -> str:
    names = [*image_keys(members.paths), 'ensemble']
    table = score_table(names, [*members.results, ensemble])
    return f'{part}: {len(ensemble.images)} images\n{table}'


def _describe(recipe: Recipe) -> str:
    parts = [recipe.method]
    if recipe.iou is not None:
        parts.append(f'IoU {recipe.iou:g}')
    if len(recipe.weights) > 1:
        parts.append('weights ' + ' '.join(f'{w:.3g}' for w in recipe.weights))
    return ', '.join(parts)
