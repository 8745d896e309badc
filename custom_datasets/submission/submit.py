"""Predictions made into a competition's file."""

import os
import tempfile
from dataclasses import dataclass, field
from typing import Any

from custom_datasets.ensembling.members import read_members
from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import ClassificationResults, Results
from custom_datasets.submission.boxes import ORDER, boxes_inside, parse_order
from custom_datasets.submission.identity import image_ids, read_sample
from custom_datasets.submission.labels import (
    class_names,
    label_texts,
    read_coco_file,
    read_test_set,
)
from custom_datasets.submission.tables import (
    classification_table,
    coco_text,
    detection_table,
)


@dataclass(frozen=True)
class Request:
    """What is to be written and how.

    Attributes:
        path: A file of predictions, with or without truth.
        out: The file to write: ``.csv``, or ``.json`` for COCO's format.
        config: A config, for the names of the classes and its COCO file.
        options: Settings that replace the config's, by dotted name.
        sample: A sample submission, for the CSV.
        coco: A COCO file, for the ids; the config's if None.
        order: What stands for a box, in the CSV.
        labels: How labels are called, in the CSV: one of ``labels.STYLES``.
        id_form: How images are called, in the CSV: one of ``identity.FORMS``.
        threshold: Boxes of a lower score are left out.
    """

    path: str
    out: str
    config: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    sample: str | None = None
    coco: str | None = None
    order: str = ORDER
    labels: str = '0'
    id_form: str | None = None
    threshold: float = 0.0


def write_submission(request: Request) -> str:
    """Read predictions and write them, whole or not at all.

    Returns:
        What was written and what to know of it, to be printed.

    Raises:
        UserError: A file can't be read or does not fit to another; see also
            what each step raises.
    """
    results = read_members([request.path]).results[0]
    try:
        text, what, notes = _compose(request, results)
    except UserError as error:
        raise UserError(f'{request.path}: {error}') from error
    _write(request.out, text)
    wrote = f'wrote {request.out}: {len(results.images)} images{what}'
    return '\n'.join([*(f'note: {note}' for note in notes), wrote])


def _compose(request: Request, results: Results) -> tuple[str, str, list[str]]:
    """Return the text, what it holds, and what to know of it."""
    is_json = request.out.endswith('.json')
    if not is_json and not request.out.endswith('.csv'):
        raise UserError(f'--out {request.out}: it ends in .csv, or in .json for COCO')
    source = read_test_set(request.config, request.options) if request.config else None
    names = class_names(source) if source else None
    if isinstance(results, ClassificationResults):
        if is_json:
            raise UserError('COCO has no format for one class an image; name a .csv')
        if names is not None and len(names) != results.scores.shape[1]:
            raise UserError(
                f'{results.scores.shape[1]} scores an image, but {request.config} has '
                f'{len(names)} classes'
            )
        sample = read_sample(request.sample) if request.sample else None
        ids = image_ids(results.images, request.id_form, sample)
        labels = label_texts(results.scores.shape[1] - 1, request.labels, names)
        return classification_table(ids, results, labels, names, sample), '', []
    boxes, notes = boxes_inside(results, request.threshold)
    what = f', {len(boxes.score)} boxes'
    if is_json:
        path = request.coco
        if path is None and source and source.ann_file.endswith('.json'):
            path = source.ann_file
        if path is None:
            raise UserError('COCO needs the ids of a COCO file: give --coco FILE.json')
        return (
            coco_text(results.images, boxes, names, read_coco_file(path)),
            what,
            notes,
        )
    fields = parse_order(request.order)
    sample = read_sample(request.sample) if request.sample else None
    ids = image_ids(results.images, request.id_form, sample)
    most = int(boxes.label.max(initial=-1))
    labels = label_texts(most, request.labels, names, separator=' ')
    text, more = detection_table(ids, boxes, labels, fields, sample)
    return text, what, [*notes, *more]


def _write(path: str, text: str) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            'w', encoding='utf-8', newline='', dir=folder, prefix='.', delete=False
        ) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError as error:
        raise UserError(f'{path}: cannot be written ({error.strerror})') from error
