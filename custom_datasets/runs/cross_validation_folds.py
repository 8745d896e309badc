"""The lists of a cross-validation: those that are there, or new ones."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from custom_datasets.checking.sources import COCO_KINDS, Source, find_sources
from custom_datasets.class_names import as_names
from custom_datasets.converters.clean import REMOVED
from custom_datasets.converters.split_dataset import split_dataset
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.overrides import fold_folder, fold_numbers
from custom_datasets.runs.fold_lists import (
    SPLITTER,
    has_truth,
    listed_images,
    read_held_out,
    what_is_added,
    what_is_lacking,
    what_is_outdated,
)
from custom_datasets.runs.resuming import digest_of


@dataclass(frozen=True)
class Folds:
    """What the folds of a config train on and are tested on.

    Attributes:
        classes: Class names in the order that numbers them.
        held_out: The images that each fold holds out, as its list names them.
        digest: Of the content of all lists.
        report: What was split, or found, for the user.
    """

    classes: tuple[str, ...]
    held_out: tuple[frozenset[str], ...]
    digest: str
    report: str


def prepare_folds(cfg: Mapping[str, Any], count: int, seed: int) -> Folds:
    """Take the lists of the folds that are there, or else write them.

    Images of the config's test list stay out of new folds, unless that list is
    the validation list.

    Args:
        cfg: The config, after its overrides are applied, without ``fold``.
        count: How many folds.
        seed: Of a new split.

    Raises:
        ConfigError: The config has no such lists.
        UserError: There are other folds, or some that are not whole.
        AnnotationError: The data can't be split.
    """
    train, val, test = (_only_source(cfg, part) for part in ('train', 'val', 'test'))
    folder = os.path.dirname(val.ann_file)
    held = _held_images(val, test)
    there = _folds_of(train, val)
    if there and there != list(range(count)):
        kept = f' --test-list {test.ann_file}' if held else ''
        raise UserError(
            f'{folder}: has the folds {", ".join(map(str, there))}; give --folds '
            f'{len(there)}, or make others by {SPLITTER} {val.root} --folds {count}'
            f'{kept} --overwrite'
        )
    notes = [] if there else [_split(train, val, test if held else None, count, seed)]
    lists = [
        [_fold_list(part.ann_file, fold) for part in (train, val)]
        for fold in range(count)
    ]
    held_out = read_held_out(lists, val.root)
    if there:
        notes.append(f'{folder}: takes its {count} folds, which are there already')
        notes += what_is_lacking(held_out, [train, val], held)
        if val.kind in COCO_KINDS:
            notes += what_is_outdated(val.root, [pair[1] for pair in lists])
    else:
        notes += what_is_added(held_out, [train, val, test])
    return Folds(
        classes=val.classes,
        held_out=held_out,
        digest=digest_of([path for pair in lists for path in pair]),
        report='\n'.join(notes),
    )


def test_list(cfg: Mapping[str, Any]) -> str:
    """Return the list, or the COCO JSON, of a config's test set.

    Raises:
        ConfigError: There is not one.
    """
    return _only_source(cfg, 'test').ann_file


def require_apart(cfg: Mapping[str, Any], folds: Folds) -> None:
    """Stop where models of the folds would be applied to what they learned.

    Raises:
        ConfigError: The config has no test list.
        UserError: An image of the test list is in the folds.
    """
    test, val = (_only_source(cfg, part) for part in ('test', 'val'))
    held_out: frozenset[str] = frozenset().union(*folds.held_out)
    shared = listed_images(test.ann_file)
    if test.kind in COCO_KINDS:
        # Two JSONs may call other images in other folders by the same names.
        known = {_image(val, name) for name in held_out}
        shared = frozenset(n for n in shared if _image(test, n) in known)
    else:
        shared &= held_out
    if shared:
        raise UserError(
            f'{test.ann_file}: {len(shared)} of its images are in the folds too, '
            f'{min(shared)} for one; --predict is for a test set of its own'
        )


def _only_source(cfg: Mapping[str, Any], part: str) -> Source:
    sources, findings = find_sources(cfg)
    found = [source for source in sources if source.split == part]
    if len(found) != 1 or os.path.basename(found[0].ann_file) == '':
        problems = '; '.join(f.message for f in findings if f.split == part)
        raise ConfigError(
            f'{part}_dataloader: '
            + (problems or f'{len(found)} data sets with a list or file of annotations')
            + '; folds need one, as the data sets of this package have it'
        )
    return found[0]


def _held_images(val: Source, test: Source) -> frozenset[str]:
    """Return the images of a test list that is one of its own.

    Where nothing is annotated there is nothing to keep honest: a competition's
    test set takes no image away from training.
    """
    if not os.path.isfile(test.ann_file) or not has_truth(test.ann_file):
        return frozenset()
    names = listed_images(test.ann_file)
    if os.path.isfile(val.ann_file) and names == listed_images(val.ann_file):
        return frozenset()
    return names


def _split(
    train: Source, val: Source, test: Source | None, count: int, seed: int
) -> str:
    """Write the lists where the config looks for them."""
    images = (val.settings.get('data_prefix') or {}).get('img')
    is_coco = val.kind in COCO_KINDS
    removed = os.path.join(val.root, REMOVED)
    report = split_dataset(
        val.root,
        folds=count,
        test_list=test.ann_file if test else None,
        ignore_classes=as_names(val.settings.get('ignore_classes') or ()),
        exclude=removed if os.path.isfile(removed) else None,
        images=os.path.join(val.root, images) if is_coco and images else None,
        seed=seed,
    )
    if _folds_of(train, val) != list(range(count)):
        raise ConfigError(
            f'{val.ann_file}: the lists of the folds are not beside it; let ann_file '
            f'name a list where {SPLITTER} writes:\n{report}'
        )
    return report


def _folds_of(*parts: Source) -> list[int]:
    """List the folds of which at least one list is there."""
    return [
        fold
        for fold in fold_numbers(os.path.dirname(parts[-1].ann_file))
        if any(os.path.isfile(_fold_list(part.ann_file, fold)) for part in parts)
    ]


def _fold_list(path: str, fold: int) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, fold_folder(fold), name)


def _image(source: Source, name: str) -> str:
    prefix = (source.settings.get('data_prefix') or {}).get('img') or ''
    return os.path.realpath(os.path.join(source.root, prefix, name))
