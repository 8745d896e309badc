"""Predicted boxes as a competition takes them: inside the image, and rounded."""

import re
from collections.abc import Sequence

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import DetectionResults, Floats, PredictedBoxes

DECIMALS, SCORE_DECIMALS = 2, 6
"""COCO asks for tenths of a pixel or better to keep files small
(https://cocodataset.org/#format-results)."""

ORDER = 'label score xmin ymin xmax ymax'
_FIELDS = ('label', 'score', 'xmin', 'ymin', 'xmax', 'ymax', 'width', 'height')


def boxes_inside(
    results: DetectionResults, threshold: float
) -> tuple[PredictedBoxes, list[str]]:
    """Cut boxes at the image's edges and round them.

    Networks whose input is padded predict past the image, so that is said but
    is no error.

    Args:
        results: With or without truth.
        threshold: Boxes of a lower score are left out.

    Returns:
        The boxes, and what had to be done to them, a sentence each.

    Raises:
        UserError: A score is not in 0 to 1, or an image's size is unknown.
    """
    predicted = results.predicted
    if ((predicted.score < 0) | (predicted.score > 1)).any():
        raise UserError('there are scores that are not between 0 and 1')
    sizes = [image.size for image in results.images]
    if None in sizes:
        raise UserError(
            f'no size for {results.images[sizes.index(None)].path}; let the test '
            "pipeline keep it: PackDetInputs(meta_keys=(..., 'ori_shape'))"
        )
    size = np.array(sizes, dtype=float)[predicted.image]
    most = np.hstack((size, size))
    box = predicted.box.clip(0, most).round(DECIMALS)
    far = np.abs(box - predicted.box).max(axis=1, initial=0) > 1
    solid = (box[:, 2:] > box[:, :2]).all(axis=1)
    sure = predicted.score >= threshold
    kept = solid & sure
    notes = []
    if (cut := int((far & kept).sum())) > 0:
        notes.append(
            f'{cut} boxes reached out of their image by more than a pixel and were cut'
        )
    if (lost := int((sure & ~solid).sum())) > 0:
        notes.append(f'{lost} boxes had no area inside their image and were left out')
    score = predicted.score[kept].round(SCORE_DECIMALS)
    image, label = predicted.image[kept], predicted.label[kept]
    return PredictedBoxes(image, label, box[kept], score), notes


def parse_order(text: str) -> list[str]:
    """Read the order of a box's numbers, apart by commas or spaces.

    Raises:
        UserError: A field is unknown, missing or named twice.
    """
    fields = [field for field in re.split(r'[\s,]+', text) if field]
    unknown = [field for field in fields if field not in _FIELDS]
    if unknown:
        raise UserError(f'--order: {unknown[0]!r} is none of {", ".join(_FIELDS)}')
    corners = {'xmin', 'ymin'} <= set(fields)
    ends = {'xmax', 'ymax'} <= set(fields) or {'width', 'height'} <= set(fields)
    if len(set(fields)) < len(fields) or not (corners and ends):
        raise UserError(
            f'--order {text!r}: it takes xmin, ymin, then xmax and ymax or width and '
            'height, each once; label and score where the competition wants them'
        )
    return fields


def write_box(fields: Sequence[str], label: str, score: float, box: Floats) -> str:
    """Write one box's numbers, apart by spaces.

    Args:
        fields: From :func:`parse_order`.
        label: As the competition calls it.
        score: 0 to 1.
        box: Shape (4,), ``xyxy`` in pixels.
    """
    left, top, right, bottom = box.tolist()
    numbers = {
        'xmin': left,
        'ymin': top,
        'xmax': right,
        'ymax': bottom,
        'width': right - left,
        'height': bottom - top,
    }
    texts = {name: _short(value, DECIMALS) for name, value in numbers.items()}
    texts.update(label=label, score=_short(score, SCORE_DECIMALS))
    return ' '.join(texts[field] for field in fields)


def _short(value: float, decimals: int) -> str:
    return f'{value:.{decimals}f}'.rstrip('0').rstrip('.')
