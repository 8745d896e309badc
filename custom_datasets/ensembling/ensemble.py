"""Predictions of several models made into one file of predictions."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from custom_datasets.ensembling import fusion, pooling
from custom_datasets.ensembling.members import (
    Members,
    read_members,
    refuse_shared_images,
    stack_boxes,
    stack_scores,
    with_prediction,
)
from custom_datasets.ensembling.scores import score_names, score_table, value_of
from custom_datasets.ensembling.search import IOUS, Freedom, Recipe, search
from custom_datasets.errors import UserError
from custom_datasets.evaluation.predictions import image_keys, write_samples
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Results,
)

METHODS = (*fusion.METHODS, *pooling.METHODS)


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
    known = fusion.METHODS if detects else pooling.METHODS
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
        pooled = pooling.pool_scores(scores, weights, recipe.method)
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
