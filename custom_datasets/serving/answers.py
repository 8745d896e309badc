"""What the routes answer, as JSON."""

from typing import Any

from pydantic import BaseModel, Field

from custom_datasets.predicting.outputs import Answer, Detections
from custom_datasets.predicting.run_folder import Decision
from custom_datasets.serving.engine import Facts

Threshold = float | dict[str, float]


class TagList(BaseModel):
    """The classes on an image, the surest first."""

    tags: list[str]


class TagScore(BaseModel):
    """How sure a class is, and where it is."""

    score: float
    boxes: list[list[float]] = Field(
        description='x1, y1, x2, y2 in pixels of the upright image, the surest first; '
        'empty for a classifier'
    )


class TagDictionary(BaseModel):
    """The classes on an image with scores and boxes, the surest first."""

    tags: dict[str, TagScore]


class Box(BaseModel):
    """An object."""

    name: str
    score: float
    box: list[float] = Field(
        description='x1, y1, x2, y2 in pixels of the upright image'
    )


class ImageAnswer(BaseModel):
    """What is on an image, or why it could not be used."""

    name: str = Field(description='As it was sent')
    width: int | None = None
    height: int | None = None
    boxes: list[Box] | None = Field(None, description='Of a detector')
    classes: dict[str, float] | None = Field(
        None, description="A classifier's probabilities, the highest first"
    )
    error: str | None = None


class Model(BaseModel):
    """Which model answered."""

    name: str
    version: str
    task: str


class Prediction(BaseModel):
    """The answer on each image, in the order in which they were sent."""

    model: Model
    threshold: Threshold = Field(description='Lowest score that counts, or by class')
    images: list[ImageAnswer]


class About(BaseModel):
    """What runs here."""

    model: Model
    classes: list[str]
    threshold: Threshold
    loaded: str = Field(description='When the checkpoint was loaded')
    problem: str = Field(description='Why a newer checkpoint was refused, or empty')
    limits: dict[str, int | float]
    links: dict[str, str]


class Status(BaseModel):
    """Whether the server lives, or answers."""

    status: str


def tag_list(answer: Answer, top: int) -> dict[str, Any]:
    """Return the names on an image; of a classifier, at most ``top``."""
    return {'tags': list(_tags(answer, top))}


def tag_dictionary(answer: Answer, top: int) -> dict[str, Any]:
    """Return names with scores and boxes; see :func:`tag_list`."""
    return {'tags': _tags(answer, top)}


def _tags(answer: Answer, top: int) -> dict[str, Any]:
    if isinstance(answer, Detections):
        return {
            name: {'score': tag.score, 'boxes': tag.boxes.tolist()}
            for name, tag in answer.tags().items()
        }
    decision, classes = answer.decision, answer.classes
    return {
        name: {'score': share, 'boxes': []}
        for name, share in answer.top(top)
        if share >= decision.threshold_of(classes.index(name))
    }


def image_answer(answer: Answer) -> dict[str, Any]:
    """Return what is on an image."""
    width, height = answer.size
    content: dict[str, Any] = {'name': answer.image, 'width': width, 'height': height}
    if isinstance(answer, Detections):
        return {**content, 'boxes': answer.to_dict()}
    return {**content, 'classes': answer.to_dict()}


def model_content(name: str, facts: Facts) -> dict[str, Any]:
    """Say which model answers."""
    return {'name': name, 'version': facts.version, 'task': facts.task}


def threshold_content(decision: Decision, classes: tuple[str, ...]) -> Threshold:
    """Return a threshold, or one per class."""
    if isinstance(decision.threshold, tuple):
        return dict(zip(classes, decision.threshold, strict=True))
    return decision.threshold
