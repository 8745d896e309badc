"""The CSV files of competitions."""

import csv
import io
import math
from collections.abc import Mapping, Sequence

from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification import decide
from custom_datasets.evaluation.results import ClassificationResults, PredictedBoxes
from custom_datasets.submission.boxes import SCORE_DECIMALS, write_box, write_number
from custom_datasets.submission.identity import SampleSubmission
from custom_datasets.submission.labels import compare_labels


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
        boxes: As :func:`~custom_datasets.submission.boxes.boxes_inside` has them.
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
