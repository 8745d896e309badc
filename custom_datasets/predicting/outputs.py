"""What a predictor answers: boxes with names, or classes with probabilities."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from custom_datasets.files import write_image
from custom_datasets.predicting.images import Pixels
from custom_datasets.predicting.painting import (
    class_palette,
    paint_boxes,
    paint_class,
)
from custom_datasets.predicting.run_folder import Decision
from custom_datasets.text import counted

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


class BoxArrays(NamedTuple):
    """What a detector says of an image, in any order and whatever the threshold.

    Boxes have shape (n, 4), zero-based ``xyxy`` in pixels of the image.
    """

    boxes: Floats
    scores: Floats
    labels: Integers


RawAnswer = BoxArrays | Floats
"""Boxes, or a classifier's probabilities, (classes,), as the network has them."""


class Tag(NamedTuple):
    """A class that was detected: its best score, and its boxes, the best first.

    Boxes have shape (n, 4), zero-based ``xyxy`` in pixels.
    """

    score: float
    boxes: Floats


class Box(TypedDict):
    """A box in :meth:`Detections.to_dict`, zero-based ``xyxy`` in pixels."""

    name: str
    score: float
    box: list[float]


@dataclass(frozen=True, repr=False, eq=False)
class _Answer:
    """What both tasks' results have.

    Attributes:
        image: Its path, or what was given as its name.
        size: Width and height in pixels.
        classes: The names of all classes, in the order of the labels.
        decision: The threshold and the temperature, and where they are from.
    """

    image: str
    size: tuple[int, int]
    classes: tuple[str, ...]
    decision: Decision
    read: Callable[[], Pixels] = field(repr=False, compare=False)
    palette: Any = field(repr=False, compare=False)

    def save(self, path: str) -> None:
        """Write the painted image; the suffix of ``path`` says its format.

        Raises:
            UserError: It cannot be written, or the image is no longer there.
        """
        write_image(path, self.paint())

    def to_jpeg(self) -> bytes:
        """Return the painted image as the content of a JPEG file."""
        return cv2.imencode('.jpg', self.paint())[1].tobytes()

    def __repr__(self) -> str:
        """Show at a prompt what was found."""
        return f'<{type(self).__name__} of {self.image}: {self}>'

    def _repr_png_(self) -> bytes:
        """Show the painted image where a notebook shows a result."""
        return cv2.imencode('.png', self.paint())[1].tobytes()

    def paint(self, pixels: Pixels | None = None, keep_size: bool = False) -> Pixels:
        """Return the image with its names painted on it, BGR.

        Args:
            pixels: Those of the image; without them it is read again.
            keep_size: Whether the result has the image's size, as a frame of a video
                must; otherwise small images grow, and a strip below has the threshold.
        """
        raise NotImplementedError


@dataclass(frozen=True, repr=False, eq=False)
class Detections(_Answer):
    """The boxes on an image that reach the threshold, the best scores first.

    Attributes:
        boxes: Shape (n, 4), zero-based ``xyxy`` in pixels of the image.
        scores: Shape (n,), 0 to 1.
        labels: Shape (n,), the number of each box's class.
    """

    boxes: Floats
    scores: Floats
    labels: Integers

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each box's class."""
        return tuple(self.classes[label] for label in self.labels)

    def __str__(self) -> str:
        """Say what was found: ``3 boxes: RBC 0.98, RBC 0.91, WBC 0.54``."""
        pairs = zip(self.names, self.scores, strict=True)
        boxes = ', '.join(f'{name} {score:.2f}' for name, score in pairs)
        return f'{counted(len(self), "boxes")}{": " * bool(boxes)}{boxes}'

    def __len__(self) -> int:
        """Count the boxes."""
        return len(self.boxes)

    def tags(self) -> dict[str, Tag]:
        """Group the boxes by class, the class with the best score first."""
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(self.names):
            rows.setdefault(name, []).append(row)
        return {
            n: Tag(float(self.scores[r[0]]), self.boxes[r]) for n, r in rows.items()
        }

    def to_dict(self) -> list[Box]:
        """Return the boxes as JSON can hold them."""
        return [
            {'name': name, 'score': score, 'box': box}
            for name, score, box in zip(
                self.names, self.scores.tolist(), self.boxes.tolist(), strict=True
            )
        ]

    def paint(self, pixels: Pixels | None = None, keep_size: bool = False) -> Pixels:
        """Return the image with boxes, names and scores on it; see the base."""
        return paint_boxes(
            self.read() if pixels is None else pixels,
            self.boxes,
            self.names,
            self.scores,
            palette=class_palette(self.classes, self.palette),
            threshold_text=self.decision.caption,
            keep_size=keep_size,
        )


@dataclass(frozen=True, repr=False, eq=False)
class Classification(_Answer):
    """The classes of an image.

    Attributes:
        probabilities: Shape (classes,), calibrated where ``decision`` has a
            temperature.
    """

    probabilities: Floats

    def __str__(self) -> str:
        """Say what it is, or may be: ``glass 0.83, plastic 0.12``."""
        return ', '.join(f'{name} {share:.2f}' for name, share in self.top(2))

    @property
    def label(self) -> int:
        """The number of the most probable class."""
        return int(self.probabilities.argmax())

    @property
    def name(self) -> str:
        """The most probable class."""
        return self.classes[self.label]

    @property
    def probability(self) -> float:
        """The probability of :attr:`name`."""
        return float(self.probabilities[self.label])

    @property
    def names(self) -> tuple[str, ...]:
        """The most probable class; empty where it does not reach the threshold."""
        sure = self.probability >= self.decision.threshold_of(self.label)
        return (self.name,) if sure else ()

    def tags(self) -> dict[str, Tag]:
        """Return the class with its probability, as of a detector, without boxes."""
        return {name: Tag(self.probability, np.zeros((0, 4))) for name in self.names}

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """List the most probable classes with their probabilities."""
        order = np.argsort(-self.probabilities, kind='stable')[: max(count, 0)]
        return [(self.classes[k], float(self.probabilities[k])) for k in order]

    def to_dict(self) -> dict[str, float]:
        """Return all probabilities by name, the highest first."""
        return dict(self.top(len(self.classes)))

    def paint(self, pixels: Pixels | None = None, keep_size: bool = False) -> Pixels:
        """Return the image with class, probability and runner-up; see the base."""
        names, probabilities = zip(*self.top(2), strict=True)
        sure, caption = bool(self.names), self.decision.caption
        return paint_class(
            self.read() if pixels is None else pixels,
            names,
            probabilities,
            palette=class_palette(self.classes, self.palette),
            threshold_text=caption if sure else f'below {caption}',
            sure=sure,
            keep_size=keep_size,
        )


Answer = Detections | Classification
