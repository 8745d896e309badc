"""What the lists of folds name, and how they fit a config's other lists."""

import json
import os
from collections import Counter
from typing import Any

from custom_datasets.checking.sources import Source
from custom_datasets.class_names import read_lines
from custom_datasets.converters.split_coco import find_coco_json
from custom_datasets.errors import UserError
from custom_datasets.images import without_suffix

SPLITTER = 'tools/dataset_converters/split.py'
"""What writes them."""


def read_held_out(lists: list[list[str]], root: str) -> tuple[frozenset[str], ...]:
    """Read what each fold holds out; all of it together is what the data have."""
    pairs = [[listed_images(path) for path in pair] for pair in lists]
    whole: frozenset[str] = frozenset().union(*(val for _, val in pairs))
    again = f'make them anew by {SPLITTER} {root} --folds {len(lists)} --overwrite'
    for (train_path, val_path), (train, val) in zip(lists, pairs, strict=True):
        both = sorted(train & val)
        if both:
            raise UserError(f'{val_path}: {both[0]} is in {train_path} too; {again}')
        if train | val != whole:
            lost = sorted(whole ^ (train | val))[0]
            raise UserError(
                f'{val_path}: with {train_path} it has other images than the other '
                f'folds, {lost} for one; {again}'
            )
    if sum(len(val) for _, val in pairs) != len(whole):
        raise UserError(
            f'{os.path.dirname(lists[0][1])} and the others: an image is held out by '
            f'two folds; {again}'
        )
    return tuple(val for _, val in pairs)


def what_is_lacking(
    held_out: tuple[frozenset[str], ...],
    sources: list[Source],
    held: frozenset[str],
) -> list[str]:
    """Say where folds that were there do not fit the config's other lists."""
    whole: frozenset[str] = frozenset().union(*held_out)
    files = [s.ann_file for s in sources if os.path.isfile(s.ann_file)]
    listed: frozenset[str] = frozenset().union(*map(listed_images, files))
    notes = []
    if listed - whole:
        notes.append(
            f'{len(listed - whole)} images of {" and ".join(files)} are in no fold, '
            f'{sorted(listed - whole)[0]} for one'
        )
    if held & whole:
        notes.append(
            f'{len(held & whole)} images of the test list are in the folds too: it is '
            'no independent test of these models'
        )
    return notes


def what_is_added(
    held_out: tuple[frozenset[str], ...], sources: list[Source]
) -> list[str]:
    """Say which images of new folds none of the config's own lists has."""
    if not all(os.path.isfile(source.ann_file) for source in sources):
        return []
    listed: frozenset[str] = frozenset().union(
        *(listed_images(s.ann_file) for s in sources)
    )
    added = sorted(frozenset().union(*held_out) - listed)
    if not added:
        return []
    return [
        f'{len(added)} images of the folds are in none of the lists of train, val and '
        f'test, {added[0]} for one: what was left out there on purpose is back'
    ]


def what_is_outdated(root: str, paths: list[str]) -> list[str]:
    """Say where a COCO JSON was changed after the folds were made of it."""
    source = find_coco_json(root)
    if source is None:
        return []
    folds: Counter[Any] = sum(map(_boxes, paths), Counter())
    names = {name for name, *_ in folds}
    now = Counter({b: n for b, n in _boxes(source).items() if b[0] in names})
    if now == folds:
        return []
    return [
        f'{source}: has other annotations by now than the folds, which are copies; '
        f'{SPLITTER} {source} --folds {len(paths)} --overwrite makes them anew'
    ]


def listed_images(path: str) -> frozenset[str]:
    """Read the images that a list, or a COCO JSON, names."""
    if not path.lower().endswith('.json'):
        return frozenset(without_suffix(line) for _, line in read_lines(path))
    try:
        return frozenset(image['file_name'] for image in _load(path)['images'])
    except (KeyError, TypeError) as error:
        raise UserError(f'{path}: cannot be read ({error})') from error


def has_truth(path: str) -> bool:
    """Say whether a list can have annotations: a COCO JSON may have none."""
    return not path.lower().endswith('.json') or bool(_load(path).get('annotations'))


def _boxes(path: str) -> Counter[Any]:
    """Count images, as boxes of nothing, and boxes of a COCO JSON."""
    content = _load(path)
    try:
        names = {image['id']: image['file_name'] for image in content['images']}
        return Counter((name, None, ()) for name in names.values()) + Counter(
            (names[item['image_id']], item['category_id'], tuple(item['bbox']))
            for item in content.get('annotations') or ()
        )
    except (KeyError, TypeError) as error:
        raise UserError(f'{path}: cannot be read ({error})') from error


def _load(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding='utf-8-sig') as file:
            content = json.load(file)
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: cannot be read ({error})') from error
    if not isinstance(content, dict):
        raise UserError(f'{path}: not COCO, which has a list of images')
    return content
