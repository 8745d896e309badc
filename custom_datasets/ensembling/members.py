"""The files an ensemble is made of, brought into one order of images."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from custom_datasets.ensembling.groups import ModelBoxes
from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.predictions import (
    Samples,
    classification_results,
    detection_results,
    is_detection,
    read_samples,
)
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Floats,
    PredictedBoxes,
    Results,
    align,
)


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
