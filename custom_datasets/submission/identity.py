"""What a competition calls an image, and its sample submission."""

import csv
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import ImageInfo

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
