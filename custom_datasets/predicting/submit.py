"""Predictions made into a competition's file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from custom_datasets.data.coco import read_sound_coco
from custom_datasets.data.config_sources import COCO_KINDS, Source
from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    PredictedBoxes,
    Results,
    classification_results,
    detection_results,
    is_detection,
    read_samples,
)
from custom_datasets.files import write_files
from custom_datasets.predicting.tables import (
    ORDER,
    boxes_inside,
    class_names,
    classification_table,
    coco_text,
    detection_table,
    image_ids,
    label_texts,
    parse_order,
    read_sample,
    read_sets,
)

_SCORE_ERROR = 1e-6


def read_predictions(path: str) -> Results:
    """Read a file of predictions and make sure that all of its numbers are sound.

    Args:
        path: What ``tools/test.py --out`` wrote.

    Returns:
        Results whose truth means nothing.

    Raises:
        UserError: It can't be read, or an image's boxes or scores are not
            finite or its scores are no probabilities.
    """
    samples = read_samples(path)
    try:
        if is_detection(samples):
            results = detection_results([{**one, 'instances': []} for one in samples])
            _require_sound(results)
            return results
        unknown: dict[str, Any] = {'gt_label': [0]}
        classified = classification_results([{**one, **unknown} for one in samples])
        decide(classified)
        return classified
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f'{path}: not a file of predictions ({type(error).__name__}: {error}); '
            'tools/test.py --out writes one'
        ) from error
    except UserError as error:
        raise UserError(f'{path}: {error}') from error


def _require_sound(results: DetectionResults) -> None:
    predicted = results.predicted
    numbers = np.hstack((predicted.box, predicted.score[:, None]))
    faults = {
        'a box or a score is not a finite number; the model has diverged': (
            ~np.isfinite(numbers).all(axis=1)
        ),
        'a score is not between 0 and 1': (
            abs(predicted.score - 0.5) > 0.5 + _SCORE_ERROR
        ),
    }
    for what, rows in faults.items():
        if rows.any():
            image = results.images[predicted.image[int(np.argmax(rows))]]
            raise UserError(f'{image.path or image.key}: {what}')


@dataclass(frozen=True)
class Request:
    """What is to be written and how.

    Attributes:
        path: A file of predictions, with or without truth.
        out: The file to write: ``.csv``, or ``.json`` for COCO's format.
        config: A config, for the names of the classes and its COCO file.
        options: Settings that replace the config's, by dotted name.
        sample: A sample submission, for the CSV.
        coco: A COCO file, for the ids; that of the config's test set if None.
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
    _require_usable(request)
    sets = read_sets(request.config, request.options) if request.config else {}
    inputs = [request.path, request.config, request.sample, request.coco]
    _require_no_input(request.out, [*inputs, *(s.ann_file for s in sets.values())])
    names = class_names(sets) if sets else None
    results = read_predictions(request.path)
    if isinstance(results, ClassificationResults):
        text, notes = _classes(request, results, names)
        what = ''
    else:
        boxes, changes = _boxes_of(request, results)
        if request.out.endswith('.json'):
            text, notes = _coco(request, results, boxes, names, sets.get('test'))
        else:
            text, notes = _boxes(request, results, boxes, names)
        empty = len(results.images) - len(set(boxes.image.tolist()))
        without = [f'images without a box: {empty}'] if empty else []
        notes = [*changes, *without, *notes]
        what = f', {len(boxes.score)} boxes'
    folder, name = os.path.split(os.path.realpath(request.out))
    write_files(folder, {name: text.encode('utf-8', 'surrogateescape')})
    wrote = f'wrote {request.out}: {len(results.images)} images{what}'
    return '\n'.join([*(f'note: {note}' for note in notes), wrote])


def _require_usable(request: Request) -> None:
    """Stop at options that make no sense or would do nothing."""
    if not 0 <= request.threshold <= 1:
        raise UserError(f'--score-thr {request.threshold}: it is between 0 and 1')
    if request.out.endswith('.json'):
        plain = Request(request.path, request.out)
        for_csv = {
            '--sample': request.sample != plain.sample,
            '--order': request.order != plain.order,
            '--labels': request.labels != plain.labels,
            '--id': request.id_form != plain.id_form,
        }
        unused = [option for option, given in for_csv.items() if given]
    elif request.out.endswith('.csv'):
        unused = ['--coco'] if request.coco else []
    else:
        raise UserError(f'--out {request.out}: it ends in .csv, or in .json for COCO')
    if unused:
        raise UserError(f'--out {request.out}: {unused[0]} is not for such a file')


def _require_no_input(out: str, inputs: Sequence[str | None]) -> None:
    for path in inputs:
        if path and all(map(os.path.exists, (path, out))):
            if os.path.samefile(path, out):
                raise UserError(f'--out {out}: that is a file to be read; name another')


def _classes(
    request: Request, results: ClassificationResults, names: Sequence[str] | None
) -> tuple[str, list[str]]:
    if request.out.endswith('.json'):
        raise UserError('COCO has no format for one class an image; name a .csv')
    count = results.scores.shape[1]
    if names is not None and len(names) != count:
        raise UserError(
            f'{request.path}: {count} scores an image, but {request.config} has '
            f'{len(names)} classes'
        )
    sample = read_sample(request.sample) if request.sample else None
    ids = image_ids(results.images, request.id_form, sample)
    labels = label_texts(count, request.labels, names)
    return classification_table(ids, results, labels, names, sample)


def _boxes_of(
    request: Request, results: DetectionResults
) -> tuple[PredictedBoxes, list[str]]:
    try:
        return boxes_inside(results, request.threshold)
    except UserError as error:
        raise UserError(f'{request.path}: {error}') from error


def _boxes(
    request: Request,
    results: DetectionResults,
    boxes: PredictedBoxes,
    names: Sequence[str] | None,
) -> tuple[str, list[str]]:
    fields = parse_order(request.order)
    sample = read_sample(request.sample) if request.sample else None
    ids = image_ids(results.images, request.id_form, sample)
    count = int(results.predicted.label.max(initial=-1)) + 1
    labels = label_texts(count, request.labels, names, separator=' ')
    text, notes = detection_table(ids, boxes, labels, fields, sample)
    # Without names, those that are predicted need not be all labels there are.
    return text, notes if names is not None else []


def _coco(
    request: Request,
    results: DetectionResults,
    boxes: PredictedBoxes,
    names: Sequence[str] | None,
    source: Source | None,
) -> tuple[str, list[str]]:
    if names is None:
        raise UserError('COCO needs the names of the classes: give --config CONFIG')
    path = request.coco
    if path is None and source and source.kind in COCO_KINDS:
        path = source.ann_file
    if path is None:
        raise UserError(
            f'{request.config}: its test set is no COCO file that has the ids; give '
            '--coco FILE.json'
        )
    label_texts(int(results.predicted.label.max(initial=-1)) + 1, 'names', names)
    return coco_text(
        results.images, boxes, names, read_sound_coco(path, needs_truth=False)
    )
