"""The CSV files of competitions, and the COCO file."""

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import (
    ClassificationResults,
    ImageInfo,
    PredictedBoxes,
)
from custom_datasets.submission.boxes import DECIMALS, write_box
from custom_datasets.submission.identity import SampleSubmission
from custom_datasets.submission.labels import CocoFile


def detection_table(
    ids: Sequence[str],
    boxes: PredictedBoxes,
    labels: Sequence[str],
    fields: Sequence[str],
    sample: SampleSubmission | None,
) -> tuple[str, list[str]]:
    """Write a row an image with all its boxes, the surest first.

    Args:
        ids: One an image.
        boxes: As :func:`~custom_datasets.submission.boxes.boxes_inside` has them.
        labels: What each label is called.
        fields: The order of a box's numbers.
        sample: Names the columns and the images, in its order; an image that is
            not predicted gets no boxes.

    Returns:
        The file's text, and what to know of it, a sentence each.

    Raises:
        UserError: The sample has other columns, or boxes of other length.
    """
    columns = sample.columns if sample else ('image_id', 'PredictionString')
    if sample:
        _require_boxes(sample, fields)
    found: dict[str, list[str]] = {one: [] for one in ids}
    for image, label, box, score in zip(
        boxes.image, boxes.label, boxes.box, boxes.score, strict=True
    ):
        found[ids[image]].append(write_box(fields, labels[label], float(score), box))
    order = list(sample.rows) if sample else list(ids)
    absent = [one for one in order if one not in found]
    notes = []
    if absent:
        notes.append(
            f'{len(absent)} images of the sample are not predicted, {absent[0]!r} for '
            'one: they get no boxes'
        )
    rows = [(one, ' '.join(found.get(one, ()))) for one in order]
    return _csv(columns, rows), notes


def classification_table(
    ids: Sequence[str],
    results: ClassificationResults,
    labels: Sequence[str],
    names: Sequence[str] | None,
    sample: SampleSubmission | None,
) -> str:
    """Write a row an image with its most probable class.

    Args:
        ids: One an image.
        results: With or without truth.
        labels: What each label is called.
        names: Names of the classes, if they are known.
        sample: Names the columns and the images, in its order. Where it has a
            column for each class, the probabilities are written.

    Raises:
        UserError: An image of the sample is not predicted, its columns are not
            known, or it calls labels in another way.
    """
    columns = sample.columns if sample else ('id', 'label')
    rows = dict(zip(ids, results.scores, strict=True))
    absent = [one for one in sample.rows if one not in rows] if sample else []
    if sample and absent:
        raise UserError(
            f'{sample.path}: {len(absent)} of its images are not predicted, '
            f'{absent[0]!r} for one'
        )
    order = list(sample.rows) if sample else list(ids)
    if len(columns) == 2:
        if sample:
            _require_same_style(sample, labels)
        table = [(one, labels[int(np.argmax(rows[one]))]) for one in order]
        return _csv(columns, table)
    if names is None or sorted(columns[1:]) != sorted(names):
        known = ', '.join(names) if names is not None else 'unknown without --config'
        path = sample.path if sample else ''
        raise UserError(
            f'{path}: its columns {", ".join(columns[1:])} are not the classes: {known}'
        )
    places = [list(names).index(column) for column in columns[1:]]
    return _csv(
        columns, [(one, *(f'{rows[one][k]:.6f}' for k in places)) for one in order]
    )


def coco_text(
    images: Sequence[ImageInfo],
    boxes: PredictedBoxes,
    names: Sequence[str] | None,
    coco: CocoFile,
) -> str:
    """Write COCO's results format: a list with one dictionary a box.

    Its definition is at https://cocodataset.org/#format-results.

    Args:
        images: All that are predicted.
        boxes: As :func:`~custom_datasets.submission.boxes.boxes_inside` has them.
        names: Names of the classes; those of the COCO file, in its order, if None.
        coco: Has the ids.

    Raises:
        UserError: An image or a class is not in the COCO file.
    """
    known = list(coco.categories) if names is None else names
    missing = [name for name in known if name not in coco.categories]
    if missing:
        raise UserError(f'{coco.path}: no category {missing[0]!r}')
    if int(boxes.label.max(initial=-1)) >= len(known):
        raise UserError(
            f'label {boxes.label.max()} is predicted, but {coco.path} has '
            f'{len(known)} categories; give --config CONFIG'
        )
    image_ids = [_coco_image(image, coco) for image in images]
    rows: list[dict[str, Any]] = []
    for image, label, box, score in zip(
        boxes.image, boxes.label, boxes.box, boxes.score, strict=True
    ):
        corner, end = box[:2], box[2:]
        rows.append(
            {
                'image_id': image_ids[image],
                'category_id': coco.categories[known[label]],
                'bbox': [round(v, DECIMALS) for v in (*corner, *(end - corner))],
                'score': float(score),
            }
        )
    return json.dumps(rows)


def _coco_image(image: ImageInfo, coco: CocoFile) -> int:
    """Find an image's id by the end of its path that the file names."""
    parts = PurePath(os.path.abspath(image.path)).parts[1:]
    for start in range(len(parts)):
        found = coco.images.get('/'.join(parts[start:]))
        if found is not None:
            return found
    raise UserError(
        f'{coco.path}: no image with the file name {parts[-1]!r}; are these the '
        'predictions on its images?'
    )


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator='\n').writerows([columns, *rows])
    return out.getvalue()


def _require_boxes(sample: SampleSubmission, fields: Sequence[str]) -> None:
    if len(sample.columns) != 2:
        raise UserError(
            f'{sample.path}: columns {", ".join(sample.columns)}; boxes need two: the '
            'image and its prediction string'
        )
    for one, (text,) in sample.rows.items():
        if len(text.split()) % len(fields):
            raise UserError(
                f'{sample.path}: {one!r} has {len(text.split())} numbers, which is no '
                f'multiple of {len(fields)} ({" ".join(fields)}); set --order'
            )


def _require_same_style(sample: SampleSubmission, labels: Sequence[str]) -> None:
    """Tell names from numbers, since both are often possible."""
    given = {row[0] for row in sample.rows.values() if row[0]}
    ours = all(label.isdigit() for label in labels)
    theirs = all(text.isdigit() for text in given)
    if given and ours != theirs:
        raise UserError(
            f'{sample.path}: it has {sample.columns[1]} {sorted(given)[0]!r}, for one, '
            f'where {labels[0]!r} would be written; set --labels'
        )
