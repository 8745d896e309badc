"""Predictions to be submitted: no truth is needed, and what there is is not read."""

from typing import Any

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.predictions import (
    classification_results,
    detection_results,
    is_detection,
    read_samples,
)
from custom_datasets.evaluation.results import DetectionResults, Results

_SCORE_ERROR = 1e-6


def read_predictions(path: str) -> Results:
    """Read a file of predictions and make sure that all of its numbers are sound.

    Args:
        path: What ``tools/test.py --out`` wrote.

    Returns:
        Results whose truth means nothing.

    Raises:
        UserError: It can't be read, or an image's boxes or scores are not
            finite or its scores are no probabilities.
    """
    samples = read_samples(path)
    try:
        if is_detection(samples):
            results = detection_results([{**one, 'instances': []} for one in samples])
            _require_sound(results)
            return results
        unknown: dict[str, Any] = {'gt_label': [0]}
        classified = classification_results([{**one, **unknown} for one in samples])
        decide(classified)
        return classified
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f'{path}: not a file of predictions ({type(error).__name__}: {error}); '
            'tools/test.py --out writes one'
        ) from error
    except UserError as error:
        raise UserError(f'{path}: {error}') from error


def _require_sound(results: DetectionResults) -> None:
    predicted = results.predicted
    numbers = np.hstack((predicted.box, predicted.score[:, None]))
    faults = {
        'a box or a score is not a finite number; the model has diverged': (
            ~np.isfinite(numbers).all(axis=1)
        ),
        'a score is not between 0 and 1': (
            abs(predicted.score - 0.5) > 0.5 + _SCORE_ERROR
        ),
    }
    for what, rows in faults.items():
        if rows.any():
            image = results.images[predicted.image[int(np.argmax(rows))]]
            raise UserError(f'{image.path or image.key}: {what}')
