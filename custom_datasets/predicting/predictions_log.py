"""``predictions.jsonl``: what was predicted, a line per image.

From it an interrupted run goes on, and every other file can be made again.
"""

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import (
    DetectionResults,
    ImageInfo,
    PredictedBoxes,
    TruthBoxes,
)
from custom_datasets.files import append_line, write_files
from custom_datasets.predicting.clips import Moment, Stamp
from custom_datasets.predicting.outputs import Answer, Box, Classification

FILE = 'predictions.jsonl'


class LabelledBox(Box):
    """A box with the number of its class."""

    label: int


@dataclass(frozen=True)
class Prediction:
    """A line: an image and its boxes, or its probabilities.

    Attributes:
        name: What the image is called.
        file: The path under which files about it are written, without what lists or
            disks cannot hold; empty where there are none.
        size: Width and height in pixels.
        names: The classes that reach the threshold, the surest first.
        boxes: The best scores first; None of a classifier.
        probabilities: By class, the highest first; None of a detector.
        moment: Of a frame of a video, which is painted as a whole.
        stamp: Of the file that was read; None of what is no file.
    """

    name: str
    file: str
    size: tuple[int, int]
    names: tuple[str, ...]
    boxes: tuple[LabelledBox, ...] | None = None
    probabilities: dict[str, float] | None = None
    moment: Moment | None = None
    stamp: Stamp | None = None

    @property
    def stem(self) -> str:
        """:attr:`file` without its suffix; no other image has it."""
        return os.path.splitext(self.file)[0]


def prediction_of(
    name: str, answer: Answer, file: str = '', moment: Moment | None = None
) -> Prediction:
    """Return what is kept of an answer.

    Raises:
        UserError: A number is not finite.
    """
    if isinstance(answer, Classification):
        shares = answer.to_dict()
        _require_finite(name, shares.values())
        return Prediction(name, file, answer.size, answer.names, None, shares, moment)
    boxes = tuple(
        LabelledBox(**box, label=label)
        for box, label in zip(answer.to_dict(), answer.labels.tolist(), strict=True)
    )
    for box in boxes:
        _require_finite(name, (box['score'], *box['box']))
    names = tuple(answer.tags())
    return Prediction(name, file, answer.size, names, boxes, moment=moment)


def append_prediction(folder: str, prediction: Prediction) -> None:
    """Write a line, whole or not at all.

    Raises:
        UserError: It cannot be written.
    """
    append_line(os.path.join(folder, FILE), _line(prediction))


def replace_predictions(folder: str, predictions: Iterable[Prediction]) -> None:
    """Write all lines anew, or leave them as they are.

    Raises:
        UserError: They cannot be written.
    """
    write_files(folder, {FILE: b''.join(map(_line, predictions))})


def _line(prediction: Prediction) -> bytes:
    width, height = prediction.size
    row: dict[str, Any] = {
        'name': prediction.name,
        'file': prediction.file,
        'width': width,
        'height': height,
        **(prediction.moment._asdict() if prediction.moment else {}),
        **({'stamp': prediction.stamp} if prediction.stamp else {}),
    }
    if prediction.boxes is not None:
        row['boxes'] = prediction.boxes
    else:
        row |= {'names': prediction.names, 'probabilities': prediction.probabilities}
    text = json.dumps(row, ensure_ascii=False, allow_nan=False)
    # A path may have bytes that are not UTF-8; JSON has the same escapes for them.
    return f'{text}\n'.encode(errors='backslashreplace')


def read_predictions(folder: str) -> list[Prediction]:
    """Return all lines of a folder's file; half a line at its end is passed over.

    Raises:
        UserError: A line is damaged.
    """
    path = os.path.join(folder, FILE)
    predictions = []
    try:
        with open(path, 'rb') as file:
            for line in file:
                if line.endswith(b'\n'):
                    predictions.append(_from_row(json.loads(line)))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(
            f'{path}: line {len(predictions) + 1} is damaged '
            f'({type(error).__name__}: {error}); remove it, and its image is predicted '
            'again'
        ) from error
    return predictions


def as_results(
    classes: Sequence[str], predictions: Sequence[Prediction]
) -> DetectionResults:
    """Put the boxes of predictions into arrays, without any truth."""
    rows = [
        (index, box['label'], *box['box'], box['score'])
        for index, prediction in enumerate(predictions)
        for box in prediction.boxes or ()
    ]
    table = np.array(rows, dtype=float).reshape(-1, 7)
    image, label = table[:, 0].astype(np.intp), table[:, 1].astype(np.intp)
    none = np.zeros(0, np.intp)
    return DetectionResults(
        tuple(classes),
        tuple(ImageInfo(p.name, p.name, p.size) for p in predictions),
        TruthBoxes(none, none, np.zeros((0, 4)), np.zeros(0, bool)),
        PredictedBoxes(image, label, table[:, 2:6], table[:, 6]),
    )


def tags_json(
    predictions: Iterable[Prediction],
    form: Literal['list', 'dict'] = 'dict',
    ascii_only: bool = True,
) -> str:
    """Return the classes on each image as JSON.

    A list has names only, the surest first; a dictionary also has their best scores,
    of a detector their boxes, zero-based ``xyxy`` in pixels, and of a video the number
    of the frame and its seconds.
    """
    tags: dict[str, Any] = {
        p.name: p.names if form == 'list' else _tags(p) for p in predictions
    }
    return json.dumps(tags, indent=1, ensure_ascii=ascii_only)


def _tags(prediction: Prediction) -> dict[str, dict[str, Any]]:
    moment = prediction.moment._asdict() if prediction.moment else {}
    if prediction.probabilities is not None:
        shares = prediction.probabilities
        return {
            name: {'score': round(shares[name], 4), **moment}
            for name in prediction.names
        }
    tags: dict[str, dict[str, Any]] = {}
    for box in prediction.boxes or ():
        tag = tags.setdefault(
            box['name'], {'score': round(box['score'], 4), 'boxes': [], **moment}
        )
        tag['boxes'].append(np.round(box['box'], 1).tolist())
    return tags


def _from_row(row: dict[str, Any]) -> Prediction:
    about = row['name'], row['file'], (int(row['width']), int(row['height']))
    moment = None
    if 'frame' in row:
        moment = Moment(int(row['frame']), float(row['seconds']))
    stamp = None
    if 'stamp' in row:
        size, changed = map(int, row['stamp'])
        stamp = size, changed
    if 'boxes' in row:
        boxes = tuple(
            LabelledBox(
                name=str(box['name']),
                score=float(box['score']),
                box=[float(side) for side in box['box']],
                label=int(box['label']),
            )
            for box in row['boxes']
        )
        names = tuple(dict.fromkeys(box['name'] for box in boxes))
        return Prediction(*about, names, boxes, None, moment, stamp)
    shares = {str(name): float(p) for name, p in row['probabilities'].items()}
    names = tuple(map(str, row['names']))
    return Prediction(*about, names, None, shares, moment, stamp)


def _require_finite(name: str, numbers: Iterable[float]) -> None:
    if not all(map(math.isfinite, numbers)):
        raise UserError(
            f'{name}: a box or a score is not a finite number; the model has diverged'
        )
