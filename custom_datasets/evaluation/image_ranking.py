"""In which images the model goes wrong most, and in which it is right."""

from typing import Any

import numpy as np

from custom_datasets.evaluation.confusion import Verdicts
from custom_datasets.evaluation.results import DetectionResults

SHOWN = 12
"""Images of either end of the ranking."""


def rank_images(results: DetectionResults, verdicts: Verdicts) -> dict[str, Any]:
    """List the images with most mistakes, and those with fewest.

    Mistakes are missed objects, false alarms and confused classes. Of as many
    mistakes F1 decides, where a confusion is both missed and false; then the
    number of mistakes that could be, which is objects found; then the order
    of the results.

    Args:
        results: Truth and predictions.
        verdicts: From the deployed threshold on.

    Returns:
        ``worst``, all with a mistake, and ``best``, all with something found;
        no image is in both.
    """
    images = len(results.images)
    groups = {
        'correct': results.predicted.image[verdicts.correct],
        'missed': results.truth.image[verdicts.missed],
        'false': results.predicted.image[verdicts.false],
        'confused': results.predicted.image[verdicts.confused],
    }
    count = {key: np.bincount(at, minlength=images) for key, at in groups.items()}
    mistakes = count['missed'] + count['false'] + count['confused']
    right = 2 * count['correct']
    f1 = right / np.maximum(right + mistakes + count['confused'], 1)
    worst = np.lexsort((f1, -mistakes))[:SHOWN]
    worst = worst[mistakes[worst] > 0]
    best = np.lexsort((-right, -f1, mistakes))
    best = best[(right[best] > 0) & ~np.isin(best, worst)][:SHOWN]
    rows = [
        {
            **place(results, index),
            **{key: int(values[index]) for key, values in count.items()},
            'f1': float(f1[index]),
            **_boxes(results, verdicts, index),
        }
        for index in (*worst, *best)
    ]
    return {'worst': rows[: len(worst)], 'best': rows[len(worst) :]}


def place(results: DetectionResults, index: int) -> dict[str, Any]:
    """Tell which image it is."""
    image = results.images[index]
    return {
        'image': image.key,
        'path': image.path,
        'index': int(index),
        'size': list(image.size) if image.size else None,
    }


def _boxes(results: DetectionResults, verdicts: Verdicts, index: int) -> dict[str, Any]:
    truth, predicted = results.truth, results.predicted
    true = np.flatnonzero(truth.image == index)
    own = np.flatnonzero((predicted.image == index) & ~verdicts.dropped)
    return {
        'truth': [
            {
                'label': results.classes[truth.label[row]],
                'box': truth.box[row].tolist(),
                'verdict': 'ignored'
                if truth.ignore[row]
                else 'missed'
                if verdicts.missed[row]
                else 'confused'
                if verdicts.mistaken[row]
                else 'found',
            }
            for row in true
        ],
        'predicted': [
            {
                'label': results.classes[predicted.label[row]],
                'box': predicted.box[row].tolist(),
                'score': float(predicted.score[row]),
                'verdict': 'correct'
                if verdicts.correct[row]
                else 'confused'
                if verdicts.confused[row]
                else 'false'
                if verdicts.false[row]
                else 'ignored',
            }
            for row in own
        ],
    }
