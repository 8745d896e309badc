"""A competition's names for images and labels, as its sample submission shows them."""

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
"""How images are called: the file's name without and with its extension, its path as
far as the sample gives it (or below the folder that all share), the data set's id."""

STYLES = ('0', '1', 'names')
"""How labels are called: numbers from 0, numbers from 1, names."""

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
    """A file that shows what is to be submitted.

    ``key`` is the index of the column that names the images; ``rows`` has the other
    columns for each image, in the file's order.
    """

    path: str
    columns: tuple[str, ...]
    key: int
    rows: dict[str, tuple[str, ...]]

    @property
    def answers(self) -> tuple[str, ...]:
        """Return the columns except the one that names the images."""
        return self.columns[: self.key] + self.columns[self.key + 1 :]


def read_sample(path: str) -> SampleSubmission:
    """Read a sample submission, a CSV.

    The images are in the first column with such a name (``image_id``, ``id``,
    ``file_name``), or else in the first that is not named like an answer
    (``PredictionString``, ``label``).
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
            f'{path}: not a CSV with a header, at least one row and two columns '
            'separated by commas'
        )
    columns = table[0][1]
    key = _image_column(columns)
    rows: dict[str, tuple[str, ...]] = {}
    for line, row in table[1:]:
        if len(row) != len(columns):
            raise UserError(
                f'{path}, line {line}: the header has {len(columns)} columns, but this '
                f'row has {len(row)}'
            )
        if row[key] in rows:
            raise UserError(f'{path}, line {line}: {row[key]!r} appears twice')
        rows[row[key]] = (*row[:key], *row[key + 1 :])
    return SampleSubmission(path, tuple(columns), key, rows)


def image_ids(
    images: Sequence[ImageInfo], form: str | None, sample: SampleSubmission | None
) -> list[str]:
    """Name each image as the competition does.

    Without a ``form`` it is the one that the sample knows most images by, or ``stem``.

    Raises:
        UserError: Two images have the same name, or the sample has others.
    """
    listed = sample.rows if sample else {}
    if form is None:
        # The first of equals: images are seldom called by a data set's own ids.
        candidates = ('path', 'img_id') if sample else ('stem',)
        names = {name: _image_names(images, name, listed) for name in candidates}
        form = max(names, key=lambda name: sum(own in listed for own in names[name]))
    ids = _image_names(images, form, listed)
    (repeated, count), *_ = Counter(ids).most_common(1)
    if count > 1:
        raise UserError(
            f'{count} images are called {repeated!r} by their {form}; see --id'
        )
    if sample:
        _require_same_images(ids, form, sample)
    return ids


def path_ends(path: str) -> Iterator[str]:
    """List ends of a file's path, the longest first, with and without extension."""
    whole = PurePath(os.path.abspath(path))
    for start in range(len(whole.parts)):
        end = PurePath(*whole.parts[start:]).as_posix()
        yield end
        yield os.path.splitext(end)[0]


def label_texts(
    count: int, style: str, names: Sequence[str] | None, separator: str = ''
) -> list[str]:
    """Write the labels, as numbers or as names; no name may contain the separator."""
    if names is not None and count > len(names):
        raise UserError(
            f'label {count - 1} is predicted, but there are only {len(names)} classes '
            f'({", ".join(names)}); is this the config of that model?'
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
    path: str, sample_labels: Collection[str], labels: Sequence[str]
) -> list[str]:
    """Return notes on a sample's labels; a UserError where only one side uses names."""
    theirs = sorted(set(sample_labels) - {''})
    unknown = [text for text in theirs if text not in labels]
    if not labels or not unknown:
        return []
    ours_are_numbers = all(label.isdecimal() for label in labels)
    if ours_are_numbers != all(text.lstrip('-').isdecimal() for text in theirs):
        raise UserError(
            f'{path}: it has the label {unknown[0]!r} where {labels[0]!r} would be '
            'written; see --labels, and for boxes --order'
        )
    return [
        f'{path}: its label {unknown[0]!r} is not one of those written '
        f'({", ".join(labels)}); see --labels'
    ]


def _image_column(columns: Sequence[str]) -> int:
    plain = [re.sub(r'[^a-z]', '', column.lower()) for column in columns]
    named = [k for k, name in enumerate(plain) if name in _IMAGE_COLUMNS]
    other = [k for k, name in enumerate(plain) if name not in _ANSWER_COLUMNS]
    return [*named, *other, 0][0]


def _image_names(
    images: Sequence[ImageInfo], form: str, listed: Collection[str]
) -> list[str]:
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
            (end for end in path_ends(str(path)) if end in listed),
            path.relative_to(folder).as_posix(),
        )
        for path in paths
    ]


def _require_same_images(
    ids: Sequence[str], form: str, sample: SampleSubmission
) -> None:
    extra = [name for name in ids if name not in sample.rows]
    if extra:
        raise UserError(
            f'{sample.path}: {len(extra)} of {len(ids)} predicted images are not in '
            f'it, for example {extra[0]!r} (by their {form}); it has, for example, '
            f'{next(iter(sample.rows))!r}. Are these the predictions on the '
            "competition's test set? Otherwise see --id"
        )
    missing = sample.rows.keys() - set(ids)
    if missing:
        raise UserError(
            f'{sample.path}: {len(missing)} of its {len(sample.rows)} images are not '
            f'predicted, for example {min(missing)!r}'
        )
