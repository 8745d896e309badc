"""Files of predictions to work on: with or without truth, but with sound numbers."""

from typing import Any

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.results import (
    DetectionResults,
    Results,
    Samples,
    classification_results,
    detection_results,
    is_detection,
)

_SCORE_ERROR = 1e-6


def has_truth(samples: Samples) -> bool:
    """Tell whether there is any truth: a test set without labels has empty lists."""
    if is_detection(samples):
        return all('instances' in sample for sample in samples) and any(
            sample['instances'] for sample in samples
        )
    return all('gt_label' in sample for sample in samples)


def sound_results(path: str, samples: Samples, with_truth: bool = False) -> Results:
    """Put predictions into arrays, or raise where a number is unsound.

    Unless ``with_truth``, the truth of the results means nothing.
    """
    detects = is_detection(samples)
    if not with_truth:
        nothing: dict[str, Any] = {'instances': []} if detects else {'gt_label': [0]}
        samples = [{**sample, **nothing} for sample in samples]
    try:
        if detects:
            results = detection_results(samples)
            _require_sound(results)
            return results
        classified = classification_results(samples)
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
    for fault, rows in faults.items():
        if rows.any():
            image = results.images[predicted.image[int(np.argmax(rows))]]
            raise UserError(f'{image.path or image.key}: {fault}')
