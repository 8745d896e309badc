"""Finding the face of a portrait by any function of images, and cutting it out."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from custom_datasets.converters.files import Image

Boxes = NDArray[np.float64]

FindFaces = Callable[[Image], Boxes]
"""Maps an image, shape (height, width, 3), BGR, to boxes, shape (n, 5): zero-based
``xyxy`` in pixels and a score from 0 to 1."""

SIDE = 224
"""Of a crop, in pixels."""

MARGIN = 0.3
"""What of the face's longer side is added on each side: hair and chin show age."""

_SCORE = 0.5
_RIVAL = 0.5


def cascade_faces() -> FindFaces:
    """Return OpenCV's frontal face cascade, which needs no weights and no GPU.

    P. Viola and M. Jones, "Rapid Object Detection using a Boosted Cascade of Simple
    Features", CVPR 2001; trained by R. Lienhart (``haarcascade_frontalface_alt2``).
    It has no scores: what it finds has 1.
    """
    path = Path(cv2.__file__).parent / 'data/haarcascade_frontalface_alt2.xml'
    cascade = cv2.CascadeClassifier(str(path))

    def find(image: Image) -> Boxes:
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        found = cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=4)
        boxes = np.array(found, float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return np.column_stack([boxes, np.ones(len(boxes))])

    return find


def detector_faces(config: str, checkpoint: str) -> FindFaces:
    """Return a detector of mmdet; whatever class a box has, it is a face.

    Args:
        config: A leaf, such as one of ``configs/faces``.
        checkpoint: Its weights.

    Raises:
        UserError: One of them can't be read, or they are not for each other.
    """
    # With torch and mmdet, which the cascade does without.
    from custom_datasets.detectors import detect, load_detector

    model, _ = load_detector(config, checkpoint)

    def find(image: Image) -> Boxes:
        boxes, scores, _ = detect(model, image)
        return np.column_stack([boxes, scores])

    return find


def choose_face(boxes: Boxes) -> tuple[Boxes | None, str]:
    """Choose the face that a portrait is of.

    It is the largest with a score from 0.5 on. Another that is half as wide or more
    and not inside it makes it unclear whose age is meant; smaller ones are people
    in the background.

    Args:
        boxes: Shape (n, 5), as of :data:`FindFaces`.

    Returns:
        Shape (4,) and nothing, or None and why there is none.
    """
    boxes = boxes[boxes[:, 4] >= _SCORE, :4]
    if not len(boxes):
        return None, 'no face'
    sides = np.sqrt((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1))
    face = boxes[sides.argmax()]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((centres >= face[:2]) & (centres <= face[2:])).all(axis=1)
    rivals = int((~inside & (sides >= _RIVAL * sides.max())).sum())
    return (None, f'{1 + rivals} faces') if rivals else (face, '')


def crop_face(image: Image, face: Boxes, margin: float = MARGIN) -> Image:
    """Cut a square around a face with a margin, and scale it.

    It is black where the image ends.

    Args:
        image: Shape (height, width, 3).
        face: Shape (4,), zero-based ``xyxy`` in pixels.
        margin: What of the face's longer side to add on each side.

    Returns:
        Shape (224, 224, 3).
    """
    side = max(1, round((1 + 2 * margin) * float((face[2:] - face[:2]).max())))
    left, top = np.round((face[:2] + face[2:] - side) / 2).astype(int)
    # What is cut is moved into the square by as much as its corner is outside.
    inside = image[max(top, 0) : top + side, max(left, 0) : left + side]
    square = np.zeros((side, side, 3), np.uint8)
    y, x = max(-top, 0), max(-left, 0)
    square[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    way = cv2.INTER_AREA if len(square) > SIDE else cv2.INTER_LINEAR
    return cv2.resize(square, (SIDE, SIDE), interpolation=way).astype(np.uint8)
