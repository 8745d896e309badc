"""From an image to tags: what a trained detector finds on it.

.. code-block:: python

    tagger = Tagger(*load_detector(config, checkpoint))
    tagger.names('photo.jpg')        # ['dog', 'person']
    tagger.tags('photo.jpg')['dog']  # Tag(score=0.98, boxes=an array, (n, 4))
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from custom_datasets.detectors import Picture, detect, load_detector
from custom_datasets.errors import UserError

THRESHOLD = 0.3
"""Score from which on a box counts."""


class Tag(NamedTuple):
    """One class that was found.

    Attributes:
        score: Of its best box.
        boxes: ``(n, 4)``, zero-based ``xyxy`` in pixels, the best first.
    """

    score: float
    boxes: NDArray[np.float64]


class Tagger:
    """Names what is on an image.

    Args:
        model: A detector in ``eval`` mode, its config as ``cfg``.
        classes: Tags in the order that numbers them.
        threshold: Score from which on a box counts.
    """

    def __init__(
        self, model: nn.Module, classes: Sequence[str], threshold: float = THRESHOLD
    ) -> None:
        """Keep the model."""
        self.model, self.classes, self.threshold = model, tuple(classes), threshold

    def tags(self, image: Picture) -> dict[str, Tag]:
        """Find each class on an image, with its boxes.

        Returns:
            Tags by name, those with the best scores first.

        Raises:
            UserError: See :func:`~custom_datasets.detectors.detect`.
        """
        boxes, scores, labels = detect(self.model, image)
        names = [self.classes[label] for label in labels]
        return collect_tags(boxes, scores, names, self.threshold)

    def names(self, image: Picture) -> list[str]:
        """List the classes on an image; see :meth:`tags`."""
        return list(self.tags(image))


def collect_tags(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    names: Sequence[str],
    threshold: float,
) -> dict[str, Tag]:
    """Group the ``n`` boxes of an image by the names of their classes.

    Returns:
        Tags with a box of at least the threshold, those with the best scores first;
        equal ones stay in order.
    """
    order = np.argsort(-scores, kind='stable')
    rows: dict[str, list[int]] = {}
    for row in order[scores[order] >= threshold]:
        rows.setdefault(names[row], []).append(int(row))
    return {n: Tag(float(scores[r[0]]), boxes[r]) for n, r in rows.items()}


def tag_images(
    images: Sequence[str],
    config: str,
    checkpoint: str,
    threshold: float = THRESHOLD,
    options: Mapping[str, Any] | None = None,
) -> tuple[str, list[str]]:
    """Tag image files.

    Returns:
        A JSON: tag, best score and boxes of each image; and a sentence on each image
        that could not be read, which the JSON lacks.

    Raises:
        UserError: See :func:`~custom_datasets.detectors.load_detector`.
    """
    tagger = Tagger(*load_detector(config, checkpoint, options=options), threshold)
    found, problems = {}, []
    for image in images:
        try:
            tags = tagger.tags(image)
        except UserError as error:
            problems.append(str(error))
            continue
        found[image] = {
            name: {'score': round(tag.score, 4), 'boxes': tag.boxes.round(1).tolist()}
            for name, tag in tags.items()
        }
    return json.dumps(found, indent=1), problems
