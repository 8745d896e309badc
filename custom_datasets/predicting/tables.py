"""The files of competitions: CSV of boxes or classes, and COCO's results."""

import csv
import io
import json
import math
import posixpath
import re
from collections.abc import Mapping, Sequence

import numpy as np

from custom_datasets.data.coco import CocoFile, Id
from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Floats,
    ImageInfo,
    PredictedBoxes,
)
from custom_datasets.predicting.sample import (
    SampleSubmission,
    compare_labels,
    path_ends,
)

ORDER = 'label score xmin ymin xmax ymax'

_CORNERS = {'xmin', 'ymin', 'xmax', 'ymax'}
_SIDES = {'xmin', 'ymin', 'width', 'height'}
_FIELDS = (*ORDER.split(), 'width', 'height')

_DECIMALS, _SCORE_DECIMALS = 3, 8
"""Of pixels and of scores: enough that an AP stays as it is, where COCO asks for
tenths of a pixel at least (https://cocodataset.org/#format-results)."""


def boxes_inside(
    results: DetectionResults, threshold: float
) -> tuple[PredictedBoxes, list[str]]:
    """Cut boxes at the image's edges, round them and return notes on what was done.

    Networks whose input is padded predict past the image: that is noted, no error.

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
    box = predicted.box.clip(0, np.hstack((size, size))).round(_DECIMALS)
    far = np.abs(box - predicted.box).max(axis=1, initial=0) > 1
    solid = (box[:, 2:] > box[:, :2]).all(axis=1)
    sure = predicted.score >= threshold
    kept = solid & sure
    notes = []
    if (cut := int((far & kept).sum())) > 0:
        notes.append(
            f'boxes that reached more than a pixel past their image, cut: {cut}'
        )
    if (lost := int((sure & ~solid).sum())) > 0:
        notes.append(f'boxes without area inside their image, left out: {lost}')
    image_index, label = predicted.image[kept], predicted.label[kept]
    score = predicted.score[kept].clip(0, 1).round(_SCORE_DECIMALS)
    return PredictedBoxes(image_index, label, box[kept], score), notes


def parse_order(text: str) -> list[str]:
    """Read the order of a box's numbers, separated by commas or spaces."""
    fields = [field for field in re.split(r'[\s,]+', text) if field]
    unknown = [field for field in fields if field not in _FIELDS]
    if unknown:
        raise UserError(f'--order: {unknown[0]!r} is not one of {", ".join(_FIELDS)}')
    place = set(fields) - {'label', 'score'}
    if len(set(fields)) < len(fields) or place not in (_CORNERS, _SIDES):
        raise UserError(
            f'--order {text!r}: it needs xmin, ymin, and either xmax and ymax or width '
            'and height, each once; label and score where the competition wants them'
        )
    return fields


def detection_table(
    ids: Sequence[str],
    boxes: PredictedBoxes,
    labels: Sequence[str],
    fields: Sequence[str],
    sample: SampleSubmission | None,
) -> tuple[str, list[str]]:
    """Write a row per image with all its boxes, the best first, and return notes."""
    notes = _compare_boxes(sample, fields, labels) if sample else []
    texts: dict[str, list[str]] = {name: [] for name in ids}
    for image, label, box, score in zip(
        boxes.image, boxes.label, boxes.box, boxes.score, strict=True
    ):
        text = _box_text(fields, labels[label], float(score), box)
        texts[ids[image]].append(text)
    answers = {name: (' '.join(words),) for name, words in texts.items()}
    return _csv(sample, ('image_id', 'PredictionString'), answers), notes


def classification_table(
    ids: Sequence[str],
    results: ClassificationResults,
    labels: Sequence[str],
    names: Sequence[str] | None,
    sample: SampleSubmission | None,
) -> tuple[str, list[str]]:
    """Write a row per image with its most probable class, or with probabilities.

    Probabilities are written where the sample's columns are named like classes,
    by name or as in ``labels``; the one that follows from the others may be left out.
    """
    notes: list[str] = []
    if sample:
        columns = sample.answers
        places = _class_columns(columns, (names or (), labels))
        if places:
            answers = {
                name: tuple(_number(row[k], _SCORE_DECIMALS) for k in places)
                for name, row in zip(ids, results.scores, strict=True)
            }
            return _csv(sample, (), answers), []
        if len(columns) > 1:
            raise UserError(
                f'{sample.path}: its columns {", ".join(columns)} are neither one for '
                f'labels nor the classes ({", ".join(names or labels)}); see --config '
                'and --labels'
            )
        sample_labels = {row[0] for row in sample.rows.values()}
        notes = compare_labels(sample.path, sample_labels, labels)
    predicted = decide(results).predicted
    answers = {name: (labels[k],) for name, k in zip(ids, predicted, strict=True)}
    return _csv(sample, ('id', 'label'), answers), notes


def coco_text(
    images: Sequence[ImageInfo],
    boxes: PredictedBoxes,
    names: Sequence[str],
    coco: CocoFile,
) -> tuple[str, list[str]]:
    """Write the boxes of all images as COCO's results, and return notes."""
    categories = _category_ids(names, coco)
    paths: dict[Id, str] = {}
    listed = _image_ids(coco)
    for image in images:
        key = _image_id(image, coco.path, listed)
        if key in paths:
            raise UserError(
                f'{coco.path}: {paths[key]} and {image.path} are both its image {key}'
            )
        paths[key] = image.path
    ids = list(paths)
    absent = len(coco.images) - len(ids)
    notes = [f'images of {coco.path} that are not predicted: {absent}']
    return coco_results(boxes, ids, categories), notes if absent else []


def coco_results(
    boxes: PredictedBoxes, image_ids: Sequence[Id], category_ids: Sequence[Id]
) -> str:
    """Write boxes as COCO's results; ids are by number of image and of label."""
    rows = [
        {
            'image_id': image_ids[image],
            'category_id': category_ids[label],
            'bbox': [round(v, _DECIMALS) for v in (x1, y1, x2 - x1, y2 - y1)],
            'score': score,
        }
        for image, label, (x1, y1, x2, y2), score in zip(
            boxes.image.tolist(),
            boxes.label.tolist(),
            boxes.box.tolist(),
            boxes.score.tolist(),
            strict=True,
        )
    ]
    return json.dumps(rows)


def _category_ids(names: Sequence[str], coco: CocoFile) -> list[Id]:
    ids = {name: key for key, name in coco.categories}
    if len(ids) < len(coco.categories):
        listed = [name for _, name in coco.categories]
        repeated = next(name for name in listed if listed.count(name) > 1)
        raise UserError(
            f'{coco.path}: the category {repeated} has several ids, and a submission '
            'can name only one'
        )
    missing = [name for name in names if name not in ids]
    if missing:
        hint = (
            f'it has {", ".join(ids)}'
            if ids
            else 'copy the categories of the training JSON'
        )
        raise UserError(f'{coco.path}: no category {missing[0]!r}; {hint}')
    return [ids[name] for name in names]


def _image_ids(coco: CocoFile) -> dict[str, Id]:
    ids = {posixpath.normpath(name): key for name, key in coco.ids.items()}
    for name, key in list(ids.items()):
        ids.setdefault(name.replace('../', ''), key)
    return ids


def _image_id(image: ImageInfo, file: str, ids: Mapping[str, Id]) -> Id:
    """Find an image's id by the longest end of its path that the file names.

    A file of another machine has another path: then its key is what the file says.
    """
    for end in (*path_ends(image.path), image.key):
        if end in ids:
            return ids[end]
    raise UserError(
        f'{file}: no image with the file name of {image.path or image.key}; are '
        'these the predictions on its images?'
    )


def _box_text(fields: Sequence[str], label: str, score: float, box: Floats) -> str:
    left, top, right, bottom = box.tolist()
    numbers = {
        'xmin': left,
        'ymin': top,
        'xmax': right,
        'ymax': bottom,
        'width': right - left,
        'height': bottom - top,
    }
    texts = {'label': label, 'score': _number(score, _SCORE_DECIMALS)}
    return ' '.join(
        texts[field] if field in texts else _number(numbers[field], _DECIMALS)
        for field in fields
    )


def _number(value: float, decimals: int) -> str:
    return f'{abs(value):.{decimals}f}'.rstrip('0').rstrip('.')


def _class_columns(
    columns: Sequence[str], namings: Sequence[Sequence[str]]
) -> list[int]:
    """Return the class of each column; none if they are not named like classes."""
    for names in namings:
        if set(columns) <= set(names) and len(names) - len(columns) in (0, 1):
            return [names.index(column) for column in columns]
    return []


def _csv(
    sample: SampleSubmission | None,
    columns: Sequence[str],
    answers: Mapping[str, tuple[str, ...]],
) -> str:
    key = sample.key if sample else 0
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    writer.writerow(sample.columns if sample else columns)
    for name in sample.rows if sample else answers:
        row = answers[name]
        writer.writerow((*row[:key], name, *row[key:]))
    return out.getvalue()


def _compare_boxes(
    sample: SampleSubmission, fields: Sequence[str], labels: Sequence[str]
) -> list[str]:
    if len(sample.answers) != 1:
        raise UserError(
            f'{sample.path}: columns {", ".join(sample.columns)}; boxes need two: the '
            'image and its prediction string'
        )
    sample_labels: list[str] = []
    for name, (text,) in sample.rows.items():
        words = text.split()
        columns = {field: words[k :: len(fields)] for k, field in enumerate(fields)}
        sample_labels += columns.pop('label', ())
        scores = columns.get('score', ())
        if (
            len(words) % len(fields)
            or not all(_is_number(word) for part in columns.values() for word in part)
            or not all(0 <= float(score) <= 1 for score in scores)
        ):
            raise UserError(
                f'{sample.path}: {name!r} has {text[:60]!r}, which is not made of '
                f'{" ".join(fields)!r}; see --order'
            )
    return compare_labels(sample.path, sample_labels, labels)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
