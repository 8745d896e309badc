"""Predicted boxes as a competition takes them: inside the image, and rounded."""

import re
from collections.abc import Sequence

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import DetectionResults, Floats, PredictedBoxes

DECIMALS, SCORE_DECIMALS = 3, 8
"""Of pixels and of scores: enough that an AP stays as it is, where COCO asks for
tenths of a pixel at least (https://cocodataset.org/#format-results)."""

ORDER = 'label score xmin ymin xmax ymax'
_CORNERS = {'xmin', 'ymin', 'xmax', 'ymax'}
_SIDES = {'xmin', 'ymin', 'width', 'height'}
_FIELDS = (*ORDER.split(), 'width', 'height')


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
        UserError: An image's size is unknown.
    """
    predicted = results.predicted
    sizes = [image.size for image in results.images]
    if None in sizes:
        image = results.images[sizes.index(None)]
        raise UserError(
            f'no size for {image.path or image.key}; let the test pipeline keep it: '
            "PackDetInputs(meta_keys=(..., 'ori_shape'))"
        )
    size = np.array(sizes, dtype=float)[predicted.image]
    box = predicted.box.clip(0, np.hstack((size, size))).round(DECIMALS)
    far = np.abs(box - predicted.box).max(axis=1, initial=0) > 1
    solid = (box[:, 2:] > box[:, :2]).all(axis=1)
    sure = predicted.score >= threshold
    kept = solid & sure
    notes = []
    if (cut := int((far & kept).sum())) > 0:
        notes.append(
            f'boxes that reached out of their image by more than a pixel, cut: {cut}'
        )
    if (lost := int((sure & ~solid).sum())) > 0:
        notes.append(f'boxes without area inside their image, left out: {lost}')
    image_index, label = predicted.image[kept], predicted.label[kept]
    score = predicted.score[kept].clip(0, 1).round(SCORE_DECIMALS)
    return PredictedBoxes(image_index, label, box[kept], score), notes


def parse_order(text: str) -> list[str]:
    """Read the order of a box's numbers, apart by commas or spaces.

    Raises:
        UserError: A field is unknown, missing or named twice.
    """
    fields = [field for field in re.split(r'[\s,]+', text) if field]
    unknown = [field for field in fields if field not in _FIELDS]
    if unknown:
        raise UserError(f'--order: {unknown[0]!r} is none of {", ".join(_FIELDS)}')
    place = set(fields) - {'label', 'score'}
    if len(set(fields)) < len(fields) or place not in (_CORNERS, _SIDES):
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
    texts = {'label': label, 'score': write_number(score, SCORE_DECIMALS)}
    return ' '.join(
        texts[field] if field in texts else write_number(numbers[field], DECIMALS)
        for field in fields
    )


def write_number(value: float, decimals: int) -> str:
    """Write a number that is not negative, never as in 1e-05, without end zeros.

    Args:
        value: The number.
        decimals: How many at most; at least one.
    """
    return f'{abs(value):.{decimals}f}'.rstrip('0').rstrip('.')
