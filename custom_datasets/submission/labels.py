"""How labels are called: by number or by name."""

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from custom_datasets.checking.run import load_config
from custom_datasets.checking.sources import Source, find_sources
from custom_datasets.errors import UserError
from custom_datasets.submission.coco import read_coco_file

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
    listed = read_coco_file(learnt.ann_file).categories
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
