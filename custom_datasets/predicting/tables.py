"""The CSV files of competitions."""

import csv
import io
import json
import math
import os
import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from custom_datasets.data.coco import CocoFile, Id, read_sound_coco
from custom_datasets.data.config_sources import Source, find_sources
from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    Floats,
    ImageInfo,
    PredictedBoxes,
)
from custom_datasets.settings import load_config

DECIMALS, SCORE_DECIMALS = 3, 8
"""Of pixels and of scores: enough that an AP stays as it is, where COCO asks for
tenths of a pixel at least (https://cocodataset.org/#format-results)."""

ORDER = 'label score xmin ymin xmax ymax'
_CORNERS = {'xmin', 'ymin', 'xmax', 'ymax'}
_SIDES = {'xmin', 'ymin', 'width', 'height'}
_FIELDS = (*ORDER.split(), 'width', 'height')


def boxes_inside(
    results: DetectionResults, threshold: float
) -> tuple[PredictedBoxes, list[str]]:
    """Cut boxes at the image's edges and round them.

    Networks whose input is padded predict past the image, so that is said but
    is no error.

    Args:
        results: With or without truth.
        threshold: Boxes of a lower score are left out.

    Returns:
        The boxes, and what had to be done to them, a sentence each.

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
    box = predicted.box.clip(0, np.hstack((size, size))).round(DECIMALS)
    far = np.abs(box - predicted.box).max(axis=1, initial=0) > 1
    solid = (box[:, 2:] > box[:, :2]).all(axis=1)
    sure = predicted.score >= threshold
    kept = solid & sure
    notes = []
    if (cut := int((far & kept).sum())) > 0:
        notes.append(
            f'boxes that reached out of their image by more than a pixel, cut: {cut}'
        )
    if (lost := int((sure & ~solid).sum())) > 0:
        notes.append(f'boxes without area inside their image, left out: {lost}')
    image_index, label = predicted.image[kept], predicted.label[kept]
    score = predicted.score[kept].clip(0, 1).round(SCORE_DECIMALS)
    return PredictedBoxes(image_index, label, box[kept], score), notes


def parse_order(text: str) -> list[str]:
    """Read the order of a box's numbers, apart by commas or spaces.

    Raises:
        UserError: A field is unknown, missing or named twice.
    """
    fields = [field for field in re.split(r'[\s,]+', text) if field]
    unknown = [field for field in fields if field not in _FIELDS]
    if unknown:
        raise UserError(f'--order: {unknown[0]!r} is none of {", ".join(_FIELDS)}')
    place = set(fields) - {'label', 'score'}
    if len(set(fields)) < len(fields) or place not in (_CORNERS, _SIDES):
        raise UserError(
            f'--order {text!r}: it takes xmin, ymin, then xmax and ymax or width and '
            'height, each once; label and score where the competition wants them'
        )
    return fields


def write_box(fields: Sequence[str], label: str, score: float, box: Floats) -> str:
    """Write one box's numbers, apart by spaces.

    Args:
        fields: From :func:`parse_order`.
        label: As the competition calls it.
        score: 0 to 1.
        box: Shape (4,), ``xyxy`` in pixels.
    """
    left, top, right, bottom = box.tolist()
    numbers = {
        'xmin': left,
        'ymin': top,
        'xmax': right,
        'ymax': bottom,
        'width': right - left,
        'height': bottom - top,
    }
    texts = {'label': label, 'score': write_number(score, SCORE_DECIMALS)}
    return ' '.join(
        texts[field] if field in texts else write_number(numbers[field], DECIMALS)
        for field in fields
    )


def write_number(value: float, decimals: int) -> str:
    """Write a number that is not negative, never as in 1e-05, without end zeros.

    Args:
        value: The number.
        decimals: How many at most; at least one.
    """
    return f'{abs(value):.{decimals}f}'.rstrip('0').rstrip('.')


FORMS = ('stem', 'name', 'path', 'img_id')
"""How images are called: the file's name without and with its ending, its path as
far as the sample gives it (or below the folder that all share), the data set's id."""

_IMAGE_COLUMNS = (
    *('id', 'image', 'imageid', 'imagename', 'imagepath', 'img', 'imgid'),
    *('file', 'fileid', 'filename', 'filepath', 'fname', 'name', 'path'),
)
_ANSWER_COLUMNS = (
    *('predictionstring', 'prediction', 'predictions', 'predicted', 'label'),
    *('labels', 'class', 'category', 'target'),
)


@dataclass(frozen=True)
class SampleSubmission:
    """A file that shows what is to be sent.

    Attributes:
        path: Where it was read.
        columns: Its header, in its order.
        key: Which column names the images.
        rows: What the other columns have for each image, in the file's order.
    """

    path: str
    columns: tuple[str, ...]
    key: int
    rows: dict[str, tuple[str, ...]]

    @property
    def answers(self) -> tuple[str, ...]:
        """Return the columns but that of the images."""
        return self.columns[: self.key] + self.columns[self.key + 1 :]


def read_sample(path: str) -> SampleSubmission:
    """Read a sample submission.

    The images are in the first column that is called so (``image_id``, ``id``,
    ``file_name``), or else in the first that is not called like an answer
    (``PredictionString``, ``label``).

    Raises:
        UserError: It can't be read, is no CSV of at least two columns, or
            names an image twice.
    """
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            reader = csv.reader(file)
            table = [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    except (UnicodeError, csv.Error) as error:
        raise UserError(f'{path}: not a CSV file ({error})') from error
    if len(table) < 2 or len(table[0][1]) < 2:
        raise UserError(
            f'{path}: no CSV with a header, a row and two columns apart by commas'
        )
    columns = table[0][1]
    key = _image_column(columns)
    rows: dict[str, tuple[str, ...]] = {}
    for line, row in table[1:]:
        if len(row) != len(columns):
            raise UserError(
                f'{path}, line {line}: the header has {len(columns)} columns, this '
                f'row {len(row)}'
            )
        if row[key] in rows:
            raise UserError(f'{path}, line {line}: {row[key]!r} is there twice')
        rows[row[key]] = (*row[:key], *row[key + 1 :])
    return SampleSubmission(path, tuple(columns), key, rows)


def image_ids(
    images: Sequence[ImageInfo], form: str | None, sample: SampleSubmission | None
) -> list[str]:
    """Call each image as the competition does.

    Args:
        images: All that are predicted.
        form: One of ``FORMS``; if None, the one that the sample knows most
            images by, or ``stem`` without a sample.
        sample: The sample submission.

    Returns:
        One an image, all different, and just those of the sample.

    Raises:
        UserError: Two images are called the same, or the sample has others.
    """
    known = sample.rows if sample else {}
    if form is None:
        # The first of equals: images are seldom called by a data set's own ids.
        candidates = ('path', 'img_id') if sample else ('stem',)
        called = {name: _call(images, name, known) for name in candidates}
        form = max(called, key=lambda name: sum(one in known for one in called[name]))
    ids = _call(images, form, known)
    (most, count), *_ = Counter(ids).most_common(1)
    if count > 1:
        raise UserError(f'{count} images are called {most!r} by their {form}; see --id')
    if sample:
        _require_same(ids, form, sample)
    return ids


def path_ends(path: str) -> Iterator[str]:
    """List what a file may be called: ends of its path, the longest first.

    Each is given with the file's ending, then without.
    """
    whole = PurePath(os.path.abspath(path))
    for start in range(len(whole.parts)):
        end = PurePath(*whole.parts[start:]).as_posix()
        yield end
        yield os.path.splitext(end)[0]


def _image_column(columns: Sequence[str]) -> int:
    plain = [re.sub(r'[^a-z]', '', column.lower()) for column in columns]
    named = [k for k, name in enumerate(plain) if name in _IMAGE_COLUMNS]
    other = [k for k, name in enumerate(plain) if name not in _ANSWER_COLUMNS]
    return [*named, *other, 0][0]


def _call(images: Sequence[ImageInfo], form: str, known: Collection[str]) -> list[str]:
    if form == 'img_id':
        return [image.key for image in images]
    nameless = [image.key for image in images if not image.path]
    if nameless:
        raise UserError(
            f'no path for image {nameless[0]}; let the test pipeline keep it: '
            "meta_keys=(..., 'img_path'), or use --id img_id"
        )
    paths = [PurePath(os.path.abspath(image.path)) for image in images]
    if form == 'stem':
        return [path.stem for path in paths]
    if form == 'name':
        return [path.name for path in paths]
    folder = os.path.commonpath([path.parent for path in paths])
    return [
        next(
            (end for end in path_ends(str(path)) if end in known),
            path.relative_to(folder).as_posix(),
        )
        for path in paths
    ]


def _require_same(ids: Sequence[str], form: str, sample: SampleSubmission) -> None:
    extra = [one for one in ids if one not in sample.rows]
    absent = list(sample.rows.keys() - set(ids)) if not extra else []
    if extra:
        raise UserError(
            f'{sample.path}: {len(extra)} of {len(ids)} predicted images are not in '
            f'it, {extra[0]!r} for one (by their {form}); it has '
            f'{next(iter(sample.rows))!r}, for one. Are these the predictions on the '
            "competition's test set? Otherwise see --id"
        )
    if absent:
        raise UserError(
            f'{sample.path}: {len(absent)} of its {len(sample.rows)} images are not '
            f'predicted, {min(absent)!r} for one'
        )


def coco_text(
    images: Sequence[ImageInfo],
    boxes: PredictedBoxes,
    names: Sequence[str],
    coco: CocoFile,
) -> tuple[str, list[str]]:
    """Write the boxes of all images.

    Args:
        images: All that are predicted.
        boxes: As :func:`~custom_datasets.predicting.tables.boxes_inside` has them.
        names: Names of the classes.
        coco: Has the ids.

    Returns:
        The file's text, and what to know of it, a sentence each.

    Raises:
        UserError: An image or a class is not in the COCO file, or two images
            are one there.
    """
    if not coco.images:
        raise UserError(f'{coco.path}: it lists no image')
    category_ids = _category_ids(coco)
    missing = [name for name in names if name not in category_ids]
    if missing:
        known = ', '.join(category_ids)
        way = f'it has {known}' if known else 'copy the categories of the training JSON'
        raise UserError(f'{coco.path}: no category {missing[0]!r}; {way}')
    categories = [category_ids[name] for name in names]
    image_ids = {posixpath.normpath(name): key for name, key in coco.ids.items()}
    for name, key in list(image_ids.items()):
        image_ids.setdefault(name.replace('../', ''), key)
    found: dict[Id, str] = {}
    for image in images:
        key = _image_id(image, coco, image_ids)
        if key in found:
            raise UserError(
                f'{coco.path}: {found[key]} and {image.path} are both its image {key}'
            )
        found[key] = image.path
    ids = list(found)
    rows = [
        {
            'image_id': ids[image],
            'category_id': categories[label],
            'bbox': [round(v, DECIMALS) for v in (x1, y1, x2 - x1, y2 - y1)],
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
    rest = len(coco.images) - len(ids)
    notes = [f'images of {coco.path} that are not predicted: {rest}'] if rest else []
    return json.dumps(rows), notes


def _category_ids(coco: CocoFile) -> dict[str, Id]:
    ids = {name: key for key, name in coco.categories}
    if len(ids) < len(coco.categories):
        names = [name for _, name in coco.categories]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(
            f'{coco.path}: the category {twice} has several ids, and a submission can '
            'name only one'
        )
    return ids


def _image_id(image: ImageInfo, coco: CocoFile, ids: Mapping[str, Id]) -> Id:
    """Find an image's id by the longest end of its path that the file names."""
    for end in path_ends(image.path):
        if end in ids:
            return ids[end]
    raise UserError(
        f'{coco.path}: no image with the file name of {image.path or image.key}; are '
        'these the predictions on its images?'
    )


STYLES = ('0', '1', 'names')
"""Numbers from 0, numbers from 1, names."""


def read_sets(config: str, options: Mapping[str, Any]) -> dict[str, Source]:
    """Find a config's data sets, without loading them.

    Returns:
        The first of each part, ``test`` among them.

    Raises:
        UserError: The config can't be read, or its test set is of no known kind.
    """
    sets: dict[str, Source] = {}
    for source in find_sources(load_config(config, options))[0]:
        sets.setdefault(source.split, source)
    if 'test' not in sets:
        raise UserError(f'{config}: its test set is of no kind that names its classes')
    return sets


def class_names(sets: Mapping[str, Source]) -> tuple[str, ...]:
    """Return the names of the classes, in the order of a model's labels.

    They are the training set's. Stock ``CocoDataset`` numbers classes as its file
    lists them, whatever order the config names them in.

    Args:
        sets: As :func:`read_sets` finds them.

    Raises:
        UserError: There are none, or a COCO file can't be read or lacks one.
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


def label_texts(
    count: int, style: str, names: Sequence[str] | None, separator: str = ''
) -> list[str]:
    """Write each label.

    Args:
        count: How many are predicted: the largest plus one.
        style: One of ``STYLES``.
        names: Names of the classes, if they are known.
        separator: What no name may contain.

    Raises:
        UserError: A label has no name, or a name has the separator in it.
    """
    if names is not None and count > len(names):
        raise UserError(
            f'label {count - 1} is predicted, but there are {len(names)} classes '
            f'({", ".join(names)}); is it the config of that model?'
        )
    if style != 'names':
        total = count if names is None else len(names)
        return [str(label + int(style)) for label in range(total)]
    if names is None:
        raise UserError('--labels names needs the names: give --config CONFIG')
    for name in names:
        if separator and separator in name:
            raise UserError(
                f'{name!r}: a name with a space would break the columns of a '
                'prediction; use --labels 0 or 1'
            )
    return list(names)


def compare_labels(
    path: str, given: Collection[str], labels: Sequence[str]
) -> list[str]:
    """Compare how a sample and we call labels.

    Args:
        path: The sample's.
        given: The labels in it; it may be filled with any one.
        labels: Ours.

    Returns:
        What to know, a sentence each.

    Raises:
        UserError: One calls them by name and the other by number.
    """
    given = sorted(set(given) - {''})
    strange = [text for text in given if text not in labels]
    if not labels or not strange:
        return []
    ours = all(label.isdecimal() for label in labels)
    theirs = all(text.lstrip('-').isdecimal() for text in given)
    if ours != theirs:
        raise UserError(
            f'{path}: it has the label {strange[0]!r} where {labels[0]!r} would be '
            'written; see --labels, and for boxes --order'
        )
    return [
        f'{path}: its label {strange[0]!r} is none of those written '
        f'({", ".join(labels)}); see --labels'
    ]


def detection_table(
    ids: Sequence[str],
    boxes: PredictedBoxes,
    labels: Sequence[str],
    fields: Sequence[str],
    sample: SampleSubmission | None,
) -> tuple[str, list[str]]:
    """Write a row an image with all its boxes, the surest first.

    Args:
        ids: One an image; those of the sample.
        boxes: As :func:`~custom_datasets.predicting.tables.boxes_inside` has them.
        labels: What each label is called.
        fields: The order of a box's numbers.
        sample: Names the columns and gives the order of the images.

    Returns:
        The file's text, and what to know of it, a sentence each.

    Raises:
        UserError: The sample has other columns, or boxes written otherwise.
    """
    notes = _compare_boxes(sample, fields, labels) if sample else []
    found: dict[str, list[str]] = {one: [] for one in ids}
    for image, label, box, score in zip(
        boxes.image, boxes.label, boxes.box, boxes.score, strict=True
    ):
        found[ids[image]].append(write_box(fields, labels[label], float(score), box))
    answers = {one: (' '.join(texts),) for one, texts in found.items()}
    return _csv(sample, ('image_id', 'PredictionString'), answers), notes


def classification_table(
    ids: Sequence[str],
    results: ClassificationResults,
    labels: Sequence[str],
    names: Sequence[str] | None,
    sample: SampleSubmission | None,
) -> tuple[str, list[str]]:
    """Write a row an image with its most probable class, or with probabilities.

    Probabilities are written where the sample's columns are called as classes
    are, by name or as in ``labels``; the one that the others tell may be left out.

    Args:
        ids: One an image; those of the sample.
        results: With or without truth.
        labels: What each label is called.
        names: Names of the classes, if they are known.
        sample: Names the columns and gives the order of the images.

    Returns:
        The file's text, and what to know of it, a sentence each.

    Raises:
        UserError: The sample's columns are not known, or it calls labels in
            another way.
    """
    notes: list[str] = []
    if sample:
        columns = sample.answers
        places = _class_columns(columns, (names or (), labels))
        if places:
            answers = {
                one: tuple(write_number(row[k], SCORE_DECIMALS) for k in places)
                for one, row in zip(ids, results.scores, strict=True)
            }
            return _csv(sample, (), answers), []
        if len(columns) > 1:
            raise UserError(
                f'{sample.path}: its columns {", ".join(columns)} are neither one for '
                f'labels nor the classes ({", ".join(names or labels)}); see --config '
                'and --labels'
            )
        given = {row[0] for row in sample.rows.values()}
        notes = compare_labels(sample.path, given, labels)
    chosen = decide(results).predicted
    answers = {one: (labels[k],) for one, k in zip(ids, chosen, strict=True)}
    return _csv(sample, ('id', 'label'), answers), notes


def _class_columns(
    columns: Sequence[str], namings: Sequence[Sequence[str]]
) -> list[int]:
    """Return the class of each column; none if they are not called as classes."""
    for names in namings:
        if set(columns) <= set(names) and len(names) - len(columns) in (0, 1):
            return [names.index(column) for column in columns]
    return []


def _csv(
    sample: SampleSubmission | None,
    columns: Sequence[str],
    answers: Mapping[str, tuple[str, ...]],
) -> str:
    """Write the answers in the sample's order of rows and columns."""
    key = sample.key if sample else 0
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    writer.writerow(sample.columns if sample else columns)
    for one in sample.rows if sample else answers:
        row = answers[one]
        writer.writerow((*row[:key], one, *row[key:]))
    return out.getvalue()


def _compare_boxes(
    sample: SampleSubmission, fields: Sequence[str], labels: Sequence[str]
) -> list[str]:
    """Hold a sample's boxes against what would be written."""
    if len(sample.answers) != 1:
        raise UserError(
            f'{sample.path}: columns {", ".join(sample.columns)}; boxes need two: the '
            'image and its prediction string'
        )
    given: list[str] = []
    for one, (text,) in sample.rows.items():
        words = text.split()
        columns = {name: words[k :: len(fields)] for k, name in enumerate(fields)}
        given += columns.pop('label', ())
        scores = columns.get('score', ())
        if (
            len(words) % len(fields)
            or not all(_is_number(word) for each in columns.values() for word in each)
            or not all(0 <= float(score) <= 1 for score in scores)
        ):
            raise UserError(
                f'{sample.path}: {one!r} has {text[:60]!r}, which is not made of '
                f'{" ".join(fields)!r}; see --order'
            )
    return compare_labels(sample.path, given, labels)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
