"""The lists of a cross-validation: existing ones, or new ones."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from custom_datasets.config import fold_folder, fold_numbers
from custom_datasets.data.clean import REMOVED
from custom_datasets.data.coco import read_sound_coco
from custom_datasets.data.coco_split import find_coco_json
from custom_datasets.data.config_sources import COCO_KINDS, Source, find_sources
from custom_datasets.data.images import without_suffix
from custom_datasets.data.names import as_names, read_lines
from custom_datasets.data.split import split_dataset
from custom_datasets.data.tree import images_in
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.runs.campaign import digest_of
from custom_datasets.text import counted

_SPLITTER = 'tools/dataset_converters/split.py'
"""The tool that writes the lists."""

Names = frozenset[str]
"""Images, as a list or a COCO JSON names them."""


@dataclass(frozen=True)
class Folds:
    """What the folds of a config train on and are tested on.

    ``held_out`` has each fold's images, ``digest`` is of the content of all lists, and
    ``report`` says what was split, or found.
    """

    classes: tuple[str, ...]
    held_out: tuple[Names, ...]
    digest: str
    report: str


def prepare_folds(cfg: Mapping[str, Any], count: int, seed: int) -> Folds:
    """Use the lists of the folds that exist, or else write them.

    Images of the config's test list stay out of new folds, unless that list is
    the validation list. ``cfg`` has its overrides applied, without ``fold``.

    Raises:
        ConfigError: The config has no such lists.
        UserError: There are other folds, or incomplete ones.
        AnnotationError: The data can't be split.
    """
    train, val, test = (_only_source(cfg, part) for part in ('train', 'val', 'test'))
    folder = os.path.dirname(val.ann_file)
    held = _held_images(val, test)
    present = _folds_of(train, val)
    if present and present != list(range(count)):
        kept = f' --test-list {test.ann_file}' if held else ''
        raise UserError(
            f'{folder}: has the folds {", ".join(map(str, present))}; give --folds '
            f'{len(present)}, or replace them: {_SPLITTER} {val.root} --folds {count}'
            f'{kept} --overwrite'
        )
    notes = [] if present else [_split(train, val, test if held else None, count, seed)]
    lists = [
        (_fold_list(train.ann_file, fold), _fold_list(val.ann_file, fold))
        for fold in range(count)
    ]
    held_out = _read_held_out(lists, val.root)
    if present:
        notes.append(
            f'{folder}: uses its {counted(count, "folds")}, which exist already'
        )
        notes += _notes_on_present(held_out, [train, val], held)
        if val.kind in COCO_KINDS:
            notes += _notes_on_copies(val.root, [path for _, path in lists])
    else:
        notes += _notes_on_new(held_out, [train, val, test])
    return Folds(
        classes=val.classes,
        held_out=held_out,
        digest=digest_of([path for pair in lists for path in pair]),
        report='\n'.join(notes),
    )


def test_list(cfg: Mapping[str, Any]) -> str:
    """Return the list, or the COCO JSON, of a config's test set.

    Raises a ConfigError where it has none, or several.
    """
    return _only_source(cfg, 'test').ann_file


def require_apart(cfg: Mapping[str, Any], folds: Folds) -> None:
    """Raise a UserError where an image of the test list is in the folds.

    Models of the folds would be applied to what they learned. Raises a ConfigError
    where the config has no test list.
    """
    test, val = (_only_source(cfg, part) for part in ('test', 'val'))
    shared = _listed_images(test.ann_file)
    if test.kind in COCO_KINDS:
        # Two JSONs may use one name for images in different folders.
        files = set(_image_files(val, _all(folds.held_out)).values())
        tests = _image_files(test, shared)
        shared = frozenset(name for name in shared if tests[name] in files)
    else:
        shared &= _all(folds.held_out)
    if shared:
        raise UserError(
            f'{test.ann_file}: {len(shared)} of its images are in the folds too, '
            f'e.g. {min(shared)}; --predict needs a test set of its own'
        )


def _only_source(cfg: Mapping[str, Any], part: str) -> Source:
    sources, unreadable = find_sources(cfg)
    sources = [source for source in sources if source.split == part]
    listed = [source for source in sources if os.path.basename(source.ann_file)]
    if len(sources) != 1 or not listed:
        problems = '; '.join(p.message for p in unreadable if p.split == part)
        count = (
            f'{len(sources)} data sets, {len(listed)} of them with a list or an '
            'annotation file'
        )
        raise ConfigError(
            f'{part}_dataloader: {problems or count}; folds need exactly one, with one'
        )
    return sources[0]


def _held_images(val: Source, test: Source) -> Names:
    """Return the images of a test list, if it is not the validation list.

    Without annotations it tests nothing: a competition's test set takes no image
    away from training.
    """
    if not os.path.isfile(test.ann_file) or not _has_truth(test.ann_file):
        return frozenset()
    names = _listed_images(test.ann_file)
    if os.path.isfile(val.ann_file) and names == _listed_images(val.ann_file):
        return frozenset()
    return names


def _folds_of(*parts: Source) -> list[int]:
    return [
        fold
        for fold in fold_numbers(os.path.dirname(parts[-1].ann_file))
        if any(os.path.isfile(_fold_list(part.ann_file, fold)) for part in parts)
    ]


def _split(
    train: Source, val: Source, test: Source | None, count: int, seed: int
) -> str:
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
            f'name a list where {_SPLITTER} writes:\n{report}'
        )
    return report


def _read_held_out(lists: Sequence[tuple[str, str]], root: str) -> tuple[Names, ...]:
    """Read what each fold holds out; together that has to be all the data."""
    pairs = [(_listed_images(train), _listed_images(val)) for train, val in lists]
    whole = _all(val for _, val in pairs)
    again = f'write them again: {_SPLITTER} {root} --folds {len(lists)} --overwrite'
    for (train_path, val_path), (train, val) in zip(lists, pairs, strict=True):
        both = sorted(train & val)
        if both:
            raise UserError(f'{val_path}: {both[0]} is in {train_path} too; {again}')
        if train | val != whole:
            odd = sorted(whole ^ (train | val))[0]
            raise UserError(
                f'{val_path}: together with {train_path} it has other images than the '
                f'other folds, e.g. {odd}; {again}'
            )
    if sum(len(val) for _, val in pairs) != len(whole):
        raise UserError(
            f'{os.path.dirname(lists[0][1])} and the others: an image is held out by '
            f'two folds; {again}'
        )
    return tuple(val for _, val in pairs)


def _notes_on_present(
    held_out: Iterable[Names], sources: Sequence[Source], held: Names
) -> list[str]:
    whole = _all(held_out)
    files = [s.ann_file for s in sources if os.path.isfile(s.ann_file)]
    left = _all(map(_listed_images, files)) - whole
    notes = []
    if left:
        lists = ' and '.join(files)
        count = counted(len(left), f'images of {lists} are', f'image of {lists} is')
        notes.append(f'{count} in no fold, e.g. {min(left)}')
    if held & whole:
        notes.append(
            f'{counted(len(held & whole), "images")} of the test list found in the '
            'folds too: it is not an independent test of these models'
        )
    return notes


def _notes_on_new(held_out: Iterable[Names], sources: Sequence[Source]) -> list[str]:
    if not all(os.path.isfile(source.ann_file) for source in sources):
        return []
    added = _all(held_out) - _all(_listed_images(s.ann_file) for s in sources)
    if not added:
        return []
    return [
        f'{counted(len(added), "images")} of the folds named in none of the lists of '
        f'train, val and test, e.g. {min(added)}: what was left out there on purpose '
        'is back'
    ]


def _notes_on_copies(root: str, paths: Sequence[str]) -> list[str]:
    """A COCO JSON may have changed since the folds were copied from it."""
    source = find_coco_json(root)
    if source is None:
        return []
    folds: Counter[Any] = sum(map(_boxes, paths), Counter())
    names = {name for name, *_ in folds}
    now = Counter({b: n for b, n in _boxes(source).items() if b[0] in names})
    if now == folds:
        return []
    return [
        f'{source}: its annotations have changed since the folds, which are copies, '
        f'were made; {_SPLITTER} {source} --folds {len(paths)} --overwrite updates them'
    ]


def _all(parts: Iterable[Names]) -> Names:
    return frozenset().union(*parts)


def _listed_images(path: str) -> Names:
    if not path.lower().endswith('.json'):
        names = Counter(map(_image_of, (line for _, line in read_lines(path))))
        if twice := [name for name, count in names.items() if count > 1]:
            raise UserError(f'{path}: {twice[0]} is listed {names[twice[0]]} times')
        return frozenset(names)
    return frozenset(read_sound_coco(path, needs_truth=False).ids)


def _image_of(line: str) -> str:
    """Return the image of a line, which may have a class behind a tab."""
    path, tab, _ = line.partition('\t')
    return path.strip() if tab else without_suffix(line)


def _has_truth(path: str) -> bool:
    if not path.lower().endswith('.json'):
        return True
    return any(image.boxes for image in read_sound_coco(path, needs_truth=False).images)


def _boxes(path: str) -> Counter[Any]:
    """Count boxes, and images as boxes of nothing, to tell whether two files agree."""
    counts: Counter[Any] = Counter()
    for image in read_sound_coco(path, needs_truth=False).images:
        counts[image.name, None, ()] += 1
        counts.update((image.name, box.name, box.box) for box in image.boxes)
    return counts


def _fold_list(path: str, fold: int) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, fold_folder(fold), name)


def _image_files(source: Source, names: Names) -> dict[str, str]:
    """Return the file of each name, or where it would be."""
    prefix = (source.settings.get('data_prefix') or {}).get('img') or ''
    folder = os.path.join(source.root, prefix)
    find_image = images_in(folder, source.root)
    files = {}
    for name in names:
        try:
            path = find_image(name)
        except UserError:
            path = os.path.join(folder, name)
        files[name] = os.path.realpath(path)
    return files
