"""What a competition calls an image, and its sample submission."""

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import ImageInfo


@dataclass(frozen=True)
class SampleSubmission:
    """A file that shows what is to be sent.

    Attributes:
        path: Where it was read.
        columns: Its header; the first names the images.
        rows: What stands behind each image, in the file's order.
    """

    path: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]


def _below_common(images: Sequence[ImageInfo]) -> list[str]:
    folder = os.path.commonpath([os.path.dirname(image.path) for image in images])
    return [PurePath(os.path.relpath(i.path, folder)).as_posix() for i in images]


FORMS: dict[str, Callable[[Sequence[ImageInfo]], list[str]]] = {
    'stem': lambda images: [PurePath(image.path).stem for image in images],
    'name': lambda images: [PurePath(image.path).name for image in images],
    'path': _below_common,
    'img_id': lambda images: [image.key for image in images],
}
"""How images are called: the file's name without and with its ending, the path
below the folder that all share, the data set's own id."""


def read_sample(path: str) -> SampleSubmission:
    """Read a sample submission.

    Raises:
        UserError: It can't be read, is no CSV of at least two columns, or
            names an image twice.
    """
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            table = [row for row in csv.reader(file) if row]
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    except (UnicodeError, csv.Error) as error:
        raise UserError(f'{path}: not a CSV file ({error})') from error
    if len(table) < 2 or len(table[0]) < 2:
        raise UserError(f'{path}: no CSV with a header, two columns and a row')
    rows: dict[str, tuple[str, ...]] = {}
    for number, row in enumerate(table[1:], 2):
        if len(row) != len(table[0]):
            raise UserError(
                f'{path}, row {number}: {len(row)} columns, but the header has '
                f'{len(table[0])}'
            )
        if row[0] in rows:
            raise UserError(f'{path}, row {number}: {row[0]} is there twice')
        rows[row[0]] = tuple(row[1:])
    return SampleSubmission(path, tuple(table[0]), rows)


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
        One an image, all different.

    Raises:
        UserError: Two images are called the same, or the sample lacks one.
    """
    named = {name: make(images) for name, make in FORMS.items()}
    if form is None:
        form = 'stem'
        if sample:
            known = {name: sum(i in sample.rows for i in named[name]) for name in FORMS}
            form = max(known, key=known.__getitem__)
    ids = named[form]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise UserError(
            f'two images are called {twice!r} by their {form}; try --id path'
        )
    extra = [one for one in ids if sample and one not in sample.rows]
    if sample and extra:
        raise UserError(
            f'{sample.path}: {len(extra)} of {len(ids)} images are not in it, '
            f'{extra[0]!r} for one (by their {form}); it has '
            f'{next(iter(sample.rows))!r}, for one. Are these the predictions on '
            "the competition's test set? Otherwise see --id"
        )
    return ids
