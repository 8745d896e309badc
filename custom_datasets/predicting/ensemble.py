"""Predictions of several models made into one file of predictions."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.calibration import log_probabilities, true_class_loss
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.intervals import Estimate, estimate, resample
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Floats,
    PredictedBoxes,
    Results,
    Samples,
    align,
    classification_results,
    detection_results,
    image_keys,
    is_detection,
    read_samples,
    write_samples,
)
from custom_datasets.predicting import fusion
from custom_datasets.predicting.fusion import ModelBoxes


@dataclass(frozen=True)
class Members:
    """Several models' predictions on the same images.

    Attributes:
        paths: Where each was read.
        samples: What the first file holds, which the ensemble's is made from.
        results: One a model, all in the first's order of images; truth only
            where ``has_truth``.
        has_truth: Whether all files tell what is true.
    """

    paths: tuple[str, ...]
    samples: Samples
    results: tuple[Results, ...]
    has_truth: bool


def read_members(paths: Sequence[str]) -> Members:
    """Read files of predictions, with or without truth.

    Raises:
        UserError: One can't be read or holds a number that is not finite, or
            they are not about the same images, classes and truth.
    """
    files = [read_samples(path) for path in paths]
    has_truth = all(map(_has_truth, files))
    read = [
        _results(path, samples, has_truth)
        for path, samples in zip(paths, files, strict=True)
    ]
    if all(isinstance(one, DetectionResults) for one in read):
        # Without names, a file knows no more classes than it has boxes of.
        classes = max((one.classes for one in read), key=len)
        read = [replace(one, classes=classes) for one in read]
    aligned = read[:1]
    for path, one in zip(paths[1:], read[1:], strict=True):
        try:
            aligned.append(align(read[0], one)[1])
        except UserError as error:
            raise UserError(f'{paths[0]} and {path}: {error}') from error
    return Members(tuple(paths), files[0], tuple(aligned), has_truth)


def stack_boxes(results: Sequence[Results]) -> ModelBoxes:
    """Put all models' boxes into one set of arrays."""
    predicted = [one.predicted for one in results if isinstance(one, DetectionResults)]
    return ModelBoxes(
        np.concatenate([boxes.image for boxes in predicted]),
        np.concatenate([boxes.label for boxes in predicted]),
        np.concatenate([boxes.box for boxes in predicted]),
        np.concatenate([boxes.score for boxes in predicted]),
        np.repeat(np.arange(len(predicted)), [len(b.score) for b in predicted]),
    )


def stack_scores(results: Sequence[Results]) -> Floats:
    """Return all models' probabilities, shape (models, images, classes)."""
    return np.stack(
        [one.scores for one in results if isinstance(one, ClassificationResults)]
    )


def with_prediction(samples: Samples, predicted: PredictedBoxes | Floats) -> Samples:
    """Return the samples with another prediction, all else as it is.

    Args:
        samples: As ``tools/test.py --out`` writes them.
        predicted: The boxes, or the probabilities of shape (images, classes).

    Returns:
        New ones, with tensors of the types that the stock files have.
    """
    import torch

    if not isinstance(predicted, PredictedBoxes):
        scores = torch.as_tensor(predicted, dtype=torch.float32)
        return [
            {**sample, 'pred_score': score, 'pred_label': score.argmax(0, True)}
            for sample, score in zip(samples, scores, strict=True)
        ]
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


def refuse_shared_images(found_on: Members, applied_to: Members) -> None:
    """Stop where an image is in both: weights found on it would flatter there.

    Raises:
        UserError: There is one.
    """
    known = {os.path.realpath(path) for path in _paths(found_on)}
    shared = [path for path in _paths(applied_to) if os.path.realpath(path) in known]
    if shared:
        raise UserError(
            f'{found_on.paths[0]} and {applied_to.paths[0]}: {len(shared)} images are '
            f'in both, {shared[0]} for one; --val takes predictions on the validation '
            'set, the others those on the test set'
        )


def _paths(members: Members) -> list[str]:
    return [image.path for image in members.results[0].images if image.path]


def _has_truth(samples: Samples) -> bool:
    """Tell whether there is any: a test set without labels has empty lists."""
    if is_detection(samples):
        return all('instances' in one for one in samples) and any(
            one['instances'] for one in samples
        )
    return all('gt_label' in one for one in samples)


def _results(path: str, samples: Samples, has_truth: bool) -> Results:
    detects = is_detection(samples)
    if not has_truth:
        nothing: dict[str, Any] = {'instances': []} if detects else {'gt_label': [0]}
        samples = [{**sample, **nothing} for sample in samples]
    try:
        results: Results
        if detects:
            results = detection_results(samples)
        else:
            results = classification_results(samples)
    except KeyError as error:
        raise UserError(
            f'{path}: not a file of predictions (no {error} in it); tools/test.py '
            '--out writes one'
        ) from error
    except UserError as error:
        raise UserError(f'{path}: {error}') from error
    numbers = (
        (results.predicted.box, results.predicted.score)
        if isinstance(results, DetectionResults)
        else (results.scores,)
    )
    if not all(np.isfinite(part).all() for part in numbers):
        raise UserError(
            f'{path}: not all of its boxes and scores are finite numbers; its model '
            'has diverged'
        )
    if isinstance(results, ClassificationResults):
        try:
            decide(results)
        except UserError as error:
            raise UserError(f'{path}: {error}') from error
    return results


Metric = Callable[[Floats], Floats]
"""Maps how often each image counts to the two scores of ``score_names``."""


def score_names(results: Results) -> tuple[str, str]:
    """Name the scores; the first one is what a search makes large, or NLL small."""
    detects = isinstance(results, DetectionResults)
    return ('COCO AP', 'area-AP50') if detects else ('NLL', 'accuracy')


def metric_of(results: Results) -> Metric:
    """Match and sort once, for any weights of the images.

    Raises:
        UserError: The scores of an image are no probabilities.
    """
    if isinstance(results, ClassificationResults):
        loss = true_class_loss(log_probabilities(results.scores), results.truth)
        columns: Floats = np.stack([loss, decide(results).correct.astype(float)])
        return lambda weights: columns @ weights / weights.sum()
    tables = ap_tables(results)
    return lambda weights: np.array(
        [tables.coco_ap(weights)[0], tables.ap50(weights)[0]]
    )


def value_of(results: Results) -> float:
    """Return what a search makes large: COCO AP, or the likelihood."""
    value = float(metric_of(results)(np.ones(len(results.images)))[0])
    return value if isinstance(results, DetectionResults) else -value


def score_table(names: Sequence[str], results: Sequence[Results]) -> str:
    """Write a table of the models, the ensemble and what it adds.

    Intervals are of 95 %, from resampling images; the difference is between
    what the same resamples give, so it can be clear where intervals overlap.

    Args:
        names: One a model, and the ensemble's last.
        results: Theirs, on the same images, with truth.
    """
    metrics = [metric_of(one) for one in results]
    images = len(results[0].images)
    plain = np.array([metric(np.ones(images)) for metric in metrics])
    drawn = np.array(
        [
            [metric(weights.astype(float)) for metric in metrics]
            for weights in resample(images)
        ]
    )
    rows = list(zip(names, plain, np.moveaxis(drawn, 0, 2), strict=True))
    heads = score_names(results[0])
    single = plain[:-1, 0] if heads[0] != 'NLL' else -plain[:-1, 0]
    best = int(np.argmax(single))
    _, value, resampled = rows[-1]
    _, other, others = rows[best]
    what = 'it' if len(results) == 2 else 'the best'
    rows.append((f'ensemble - {what}', value - other, resampled - others))
    width = max(len(row[0]) for row in rows)
    lines = [f'{"":{width}}' + ''.join(f'  {head:24}' for head in heads)]
    for number, (name, values, resampled) in enumerate(rows):
        sign = '+' if number == len(results) else ''
        cells = [
            _cell(estimate(float(value), column), sign)
            for value, column in zip(values, resampled, strict=True)
        ]
        lines.append(f'{name:{width}}' + ''.join(f'  {cell:24}' for cell in cells))
    return '\n'.join(line.rstrip() for line in lines)


def _cell(found: Estimate, sign: str) -> str:
    value, low, high = (f'{number:{sign}.3f}' for number in found)
    return f'{value} [{low}, {high}]'


WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""What a model's weight is tried at, beside the others' weights as they stand."""
IOUS = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
LEAST_GAIN = 1e-3
"""A gain below is noise on any small validation set, and changes nothing."""
MOST_TRIES = 100


@dataclass(frozen=True)
class Recipe:
    """How an ensemble is made.

    Attributes:
        method: See :mod:`custom_datasets.predicting.fusion` for detectors and
            :mod:`custom_datasets.predicting.fusion` for classifiers.
        weights: One a model; the largest is 1.
        iou: The threshold for boxes; None for classifiers.
    """

    method: str
    weights: tuple[float, ...]
    iou: float | None = None

    def with_weights(self, weights: Sequence[float]) -> 'Recipe':
        """Return it with other weights, of which the largest becomes 1."""
        largest = max(weights)
        return replace(self, weights=tuple(weight / largest for weight in weights))


@dataclass(frozen=True)
class Freedom:
    """What a search may change.

    Attributes:
        methods: Those to choose from.
        ious: Thresholds to choose from; none for classifiers.
        weights: Whether it changes the weights.
    """

    methods: Sequence[str]
    ious: Sequence[float]
    weights: bool


class Found(NamedTuple):
    """What a search ends with.

    Attributes:
        recipe: The best one.
        before: The value of the one that it began with.
        after: The value of the best one.
        tried: How many were tried, the first one included.
    """

    recipe: Recipe
    before: float
    after: float
    tried: int


def search(
    value: Callable[[Recipe], float],
    start: Recipe,
    freedom: Freedom,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """Find a good recipe by changing one thing at a time.

    In turn the method, the threshold and each model's weight go to the best of
    their values, given the rest, until a round changes nothing. The same
    files give the same recipe.

    Args:
        value: What to make large, for a recipe.
        start: Where to begin, with equal weights: it stays unless something is
            better by ``LEAST_GAIN``.
        freedom: What may change.
        progress: Is called with how many are tried, and the most that can be:
            ``MOST_TRIES``.
    """
    tried = {start: value(start)}
    best, before = start, None
    while best != before:
        before = best
        for change in range(2 + len(start.weights)):
            for other in list(_alternatives(best, freedom, change)):
                if other not in tried and len(tried) < MOST_TRIES:
                    tried[other] = value(other)
                    progress(len(tried), MOST_TRIES)
            near = [o for o in _alternatives(best, freedom, change) if o in tried]
            top = max(near, key=tried.__getitem__, default=best)
            if tried[top] >= tried[best] + LEAST_GAIN:
                best = top
    return Found(best, tried[start], tried[best], len(tried))


def _alternatives(recipe: Recipe, freedom: Freedom, change: int) -> Iterator[Recipe]:
    if change == 0:
        yield from (replace(recipe, method=method) for method in freedom.methods)
    elif change == 1:
        yield from (replace(recipe, iou=iou) for iou in freedom.ious)
    elif freedom.weights and len(recipe.weights) > 1:
        for weight in WEIGHTS:
            weights = list(recipe.weights)
            weights[change - 2] = weight
            if max(weights) > 0:
                yield recipe.with_weights(weights)


METHODS = (*fusion.METHODS, *fusion.POOLINGS)


@dataclass(frozen=True)
class Request:
    """What an ensemble is to be made of and how.

    Attributes:
        paths: Files of predictions on the test set, one a model.
        out: The file to write.
        val_paths: The same models' predictions on the validation set, in the
            same order; with them what is None below is searched for.
        val_out: Where the ensemble's predictions on it go.
        method: One of ``METHODS``.
        weights: One a model.
        iou: The threshold for boxes.
    """

    paths: Sequence[str]
    out: str
    val_paths: Sequence[str] = ()
    val_out: str | None = None
    method: str | None = None
    weights: Sequence[float] | None = None
    iou: float | None = None


def make_ensemble(
    request: Request, progress: Callable[[int, int], None] = lambda done, total: None
) -> str:
    """Read, search where there is a validation set, fuse and write.

    Args:
        request: What is asked for.
        progress: Is called with how many recipes are tried, and the most.

    Returns:
        What was found and how good it is, to be printed.

    Raises:
        UserError: Files can't be read, do not fit together or would be
            overwritten, or what is asked for makes no sense.
    """
    _check(request)
    members = read_members(request.paths)
    recipe, freedom = _start(request, members.results[0])
    how = 'equal weights' if request.weights is None else 'as given'
    parts, writes = [], []
    if request.val_paths:
        val = _read_validation(request.val_paths, members)
        found = search(
            lambda one: value_of(_apply(one, val)), recipe, freedom, progress
        )
        recipe = found.recipe
        how = (
            f'{score_names(val.results[0])[0]} on validation '
            f'{abs(found.before):.3f} -> {abs(found.after):.3f} in {found.tried} tries'
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
        said = (
            results.predicted
            if isinstance(results, DetectionResults)
            else results.scores
        )
        write_samples(path, with_prediction(made_of.samples, said))
    parts.append('wrote ' + ' and '.join(path for path, _, _ in writes))
    return '\n\n'.join([f'{_describe(recipe)} ({how})', *parts])


def _read_validation(paths: Sequence[str], members: Members) -> Members:
    val = read_members(paths)
    kinds = [_kind(one.results[0]) for one in (val, members)]
    if kinds[0] != kinds[1]:
        raise UserError(
            f'{val.paths[0]} is of {kinds[0]}, and {members.paths[0]} of {kinds[1]}'
        )
    if not val.has_truth:
        raise UserError(
            f'{", ".join(paths)}: not all of them have the truth, which a search '
            "needs; this package's configs keep it: PackDetInputs(meta_keys=(..., "
            "'instances'))"
        )
    refuse_shared_images(val, members)
    return val


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
            f'{len(request.val_paths)} behind --val: name the same models in the same '
            'order'
        )
    weights = request.weights
    if weights is None:
        return
    if len(weights) != len(request.paths):
        raise UserError(f'{len(weights)} weights for {len(request.paths)} files')
    sound = all(np.isfinite(weight) and weight >= 0 for weight in weights)
    if not sound or not any(weights):
        raise UserError('--weights are 0 or more, and one of them is above 0')


def _kind(results: Results) -> str:
    if isinstance(results, DetectionResults):
        return 'a detector'
    return f'a classifier of {len(results.classes)} classes'


def _start(request: Request, results: Results) -> tuple[Recipe, Freedom]:
    """Return what to begin with, and what is left to be searched for."""
    detects = isinstance(results, DetectionResults)
    known = fusion.METHODS if detects else fusion.POOLINGS
    if request.method is not None and request.method not in known:
        raise UserError(
            f'--method {request.method}: the files are of {_kind(results)}; choose '
            f'one of {", ".join(known)}'
        )
    if request.iou is not None and not (detects and 0 < request.iou < 1):
        raise UserError('--iou is a threshold for boxes, between 0 and 1')
    iou = (request.iou or fusion.IOU) if detects else None
    weights = request.weights or [1.0] * len(request.paths)
    recipe = Recipe(request.method or known[0], (), iou).with_weights(weights)
    freedom = Freedom(
        methods=known if request.method is None else (),
        ious=IOUS if detects and request.iou is None else (),
        weights=request.weights is None,
    )
    return recipe, freedom


def _apply(recipe: Recipe, members: Members) -> Results:
    """Return the ensemble's results, with the truth that the members have."""
    first, weights = members.results[0], np.array(recipe.weights)
    if isinstance(first, ClassificationResults):
        scores = stack_scores(members.results)
        pooled = fusion.pool_scores(scores, weights, recipe.method)
        return replace(first, scores=pooled)
    boxes = stack_boxes(members.results)
    # As many an image as the heads kept, where that is more than usual.
    counts = np.bincount(boxes.model * len(first.images) + boxes.image)
    most = max(fusion.MOST, int(counts.max(initial=0)))
    assert recipe.iou is not None
    fused = fusion.fuse_boxes(boxes, weights, recipe.method, recipe.iou, most)
    return replace(first, predicted=fused)


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
