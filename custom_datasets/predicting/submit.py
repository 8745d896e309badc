"""Predictions made into a competition's file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from custom_datasets.data.coco import read_sound_coco
from custom_datasets.data.config_sources import COCO_KINDS, Source, find_sources
from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    PredictedBoxes,
    read_samples,
)
from custom_datasets.files import write_files
from custom_datasets.predicting.predictions import sound_results
from custom_datasets.predicting.sample import image_ids, label_texts, read_sample
from custom_datasets.predicting.tables import (
    ORDER,
    boxes_inside,
    classification_table,
    coco_text,
    detection_table,
    parse_order,
)
from custom_datasets.settings import load_config


@dataclass(frozen=True)
class Request:
    """What is to be written and how.

    ``out`` is a ``.csv``, which the sample submission, order and labels are for, or a
    ``.json`` of COCO's results with the ids of ``coco``, by default the config's.
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
    """Write predictions, whole or not at all; return what to print about them."""
    _require_usable(request)
    sets = read_sets(request.config, request.options) if request.config else {}
    inputs = [request.path, request.config, request.sample, request.coco]
    _require_no_input(request.out, [*inputs, *(s.ann_file for s in sets.values())])
    names = class_names(sets) if sets else None
    results = sound_results(request.path, read_samples(request.path))
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


def read_sets(config: str, options: Mapping[str, Any]) -> dict[str, Source]:
    """Find the first data set of each part of a config, without loading any."""
    sets: dict[str, Source] = {}
    for source in find_sources(load_config(config, options))[0]:
        sets.setdefault(source.split, source)
    if 'test' not in sets:
        raise UserError(f'{config}: its test set is of no kind that names its classes')
    return sets


def class_names(sets: Mapping[str, Source]) -> tuple[str, ...]:
    """Return the training set's classes, in the order of a model's labels.

    Stock ``CocoDataset`` numbers classes as its file lists them, whatever order the
    config names them in.
    """
    test = sets['test']
    learnt = sets.get('train', test)
    if learnt.kind == 'coco' and not os.path.isfile(learnt.ann_file):
        learnt = test
    names = tuple(map(str, learnt.classes))
    if not names:
        raise UserError(f'{learnt.type}: it names no classes')
    if learnt.kind != 'coco':
        return names
    coco = read_sound_coco(learnt.ann_file, needs_truth=False)
    listed = list(dict.fromkeys(name for _, name in coco.categories))
    missing = [name for name in names if name not in listed]
    if missing:
        raise UserError(
            f'{learnt.ann_file}: no category {missing[0]!r}; it has '
            f'{", ".join(listed) or "none"}'
        )
    return tuple(name for name in listed if name in names)


def _require_usable(request: Request) -> None:
    if not 0 <= request.threshold <= 1:
        raise UserError(f'--score-thr {request.threshold}: it must be between 0 and 1')
    if request.out.endswith('.json'):
        plain = Request(request.path, request.out)
        for_csv = {
            '--sample': request.sample != plain.sample,
            '--order': request.order != plain.order,
            '--labels': request.labels != plain.labels,
            '--id': request.id_form != plain.id_form,
        }
        unused = [option for option, changed in for_csv.items() if changed]
    elif request.out.endswith('.csv'):
        unused = ['--coco'] if request.coco else []
    else:
        raise UserError(
            f'--out {request.out}: it must end in .csv, or in .json for COCO'
        )
    if unused:
        raise UserError(
            f'--out {request.out}: {unused[0]} does not apply to such a file'
        )


def _require_no_input(out: str, inputs: Sequence[str | None]) -> None:
    for path in inputs:
        if path and all(map(os.path.exists, (path, out))):
            if os.path.samefile(path, out):
                raise UserError(
                    f'--out {out}: is one of the files to read; name another'
                )


def _classes(
    request: Request, results: ClassificationResults, names: Sequence[str] | None
) -> tuple[str, list[str]]:
    if request.out.endswith('.json'):
        raise UserError('COCO has no format for one class per image; use a .csv')
    count = results.scores.shape[1]
    if names is not None and len(names) != count:
        raise UserError(
            f'{request.path}: {count} scores per image, but {request.config} has '
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
            f'{request.config}: its test set is not a COCO file, which has the ids; '
            'give --coco FILE.json'
        )
    label_texts(int(results.predicted.label.max(initial=-1)) + 1, 'names', names)
    return coco_text(
        results.images, boxes, names, read_sound_coco(path, needs_truth=False)
    )
