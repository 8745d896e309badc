"""Split lists or folds for any data set whose layout is known."""

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from custom_datasets.config import fold_folder, fold_numbers
from custom_datasets.data.balance import (
    EMPTY,
    Feature,
    Labels,
    Vector,
    balanced_split,
    count_features,
)
from custom_datasets.data.clean import read_excluded
from custom_datasets.data.coco_split import (
    find_coco_json,
    read_coco_split,
    require_sound_json,
)
from custom_datasets.data.convert import recognise
from custom_datasets.data.images import file_problem, without_suffix
from custom_datasets.data.likeness import content_groups, source_groups
from custom_datasets.data.lists import (
    SplitSource,
    link_folders,
    split_class_folders,
    split_voc_folder,
    write_lists,
)
from custom_datasets.data.names import class_problems, nearest_class
from custom_datasets.data.origins import (
    match_sources,
    merge_groups,
    shared_groups,
    too_few,
)
from custom_datasets.data.problems import raise_refused
from custom_datasets.data.reading import NO_BOX
from custom_datasets.data.records import ImageRecord
from custom_datasets.data.scan import scan_images
from custom_datasets.data.voc import find_voc_folders
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.text import aligned, counted, shown


def deviations(
    counts: Mapping[str, Vector], ratios: Mapping[str, int]
) -> dict[Feature, float]:
    """Return how far each count is from proportional, at most, in images or boxes.

    Parts without a ratio are not looked at.
    """
    whole = sum(ratios.values())
    result = {}
    for key in _features(counts):
        given = {part: counts[part].get(key, 0) for part in ratios}
        total = sum(given.values())
        distances = (abs(whole * n - ratios[p] * total) for p, n in given.items())
        result[key] = max(distances) / whole
    return result


def split_table(
    labels: Labels,
    parts: Mapping[str, Sequence[str]],
    ratios: Mapping[str, int],
    has_boxes: bool,
) -> str:
    """Draw the images of each class in each part, then the boxes, then deviations."""
    counts = {
        part: count_features(labels[item] for item in items)
        for part, items in parts.items()
    }
    off = deviations(counts, ratios)
    rows = []
    for kind in ('images', 'boxes') if has_boxes else ('images',):
        rows.append([kind, *parts, 'off by'])
        for key in _features(counts):
            if key[0] == kind:
                given = (str(counts[part].get(key, 0)) for part in parts)
                rows.append([f'  {key[1] or "all"}', *given, f'{off[key]:.1f}'])
    return '\n'.join(aligned(rows))


def _features(counts: Mapping[str, Vector]) -> list[Feature]:
    """Return all that is counted: first all images, last those without an object."""
    found = {key for vector in counts.values() for key in vector}
    return sorted(found, key=lambda key: (key[1] == EMPTY, key))


PARTS = ('train', 'val', 'test')
HELD = 'test (held)'

_MOST_SHOWN = 5


def split_dataset(
    source: str,
    ratios: Mapping[str, int] | None = None,
    *,
    folds: int | None = None,
    test_list: str | None = None,
    group_by: re.Pattern[str] | Mapping[str, str] | None = None,
    classes: Sequence[str] | None = None,
    ignore_classes: Collection[str] = (),
    exclude: str | None = None,
    few_to_train: bool = False,
    images: str | None = None,
    out: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> str:
    """Write train, val and test lists, or those of each fold, and return a table.

    ``source`` is a VOC folder, a COCO JSON (or the folder that holds one), or a folder
    of class folders. Lists go where configs of the layout look for them:
    ``ImageSets/Main`` of a VOC folder, the root of class folders, ``annotations`` for
    COCO; those of fold 2 into ``fold_2`` there. In a fold, val is that fold, train are
    the others, and test is ``test_list``, or else val again. Images that show the same
    as one in ``test_list`` are in no part. Images and annotations are only read; where
    ``source`` can't be written to, ``out`` gets the lists and links to the folders that
    a config needs.

    ``group_by`` keeps images together: its first group is, in an image's name, that of
    the image it was made from; or it has what each image belongs to. ``classes`` are
    the names that XML files may use, and must; ``exclude`` is ``removed.csv`` of
    :mod:`custom_datasets.data.clean`, or a list. ``few_to_train`` trains on all images
    of a class that has too few for every part, instead of an error.

    Raises:
        UserError: The layout is unknown, a class is in too few images, or other lists
            are already there.
        AnnotationError: With everything that is wrong in the data set.
    """
    data = read_source(source, images, classes)
    if data.has_boxes and not any(data.labels.values()):
        raise UserError(f'{source}: {NO_BOX}')
    _require_class_names(data)
    data = _without_classes(data, ignore_classes)
    if exclude:
        data = _without_images(data, exclude)
    held_labels, held_images = data.read(test_list) if test_list else ({}, {})
    _require_images(data, held_images)
    kept = [n for n in held_labels if n in data.images and n not in data.labels]
    if exclude and kept:
        data.notes[f'of these stay, since {test_list} has them'] = len(kept)
    labels = {**data.labels, **held_labels}
    groups = _groups(labels, {**data.images, **held_images}, data.has_boxes, group_by)
    tests = {groups.get(name, name) for name in held_labels}
    copies = [n for n in data.labels if n not in held_labels and groups.get(n) in tests]
    left = set(data.labels) - set(held_labels) - set(copies)
    shares = {str(k): 1 for k in range(folds)} if folds else dict(ratios or {})
    free = {name: data.labels[name] for name in left}
    few, short = too_few(free, groups, len(shares)) if few_to_train else (set(), {})
    if few and few == left:
        raise UserError(
            f'{source}: no class has {len(shares)} separate images, one for each '
            'part; what shows the same, or comes from one thing, counts once'
        )
    usual = {name: labels for name, labels in free.items() if name not in few}
    parts = balanced_split(usual, shares, groups, seed)
    if few:
        parts['train'] = sorted([*parts['train'], *few])

    target = os.path.normpath(os.path.join(out or data.root, data.folder))
    lists = _fold_lists(data, parts, target) if folds else _plain_lists(data, parts)
    if test_list:
        lists.update(_held_lists(lists, data, test_list, held_labels))
    if out and os.path.realpath(out) != os.path.realpath(data.root):
        link_folders(out, data.linked)
    protected = [path for path in (data.file, test_list) if path]
    write_lists(target, lists, overwrite=overwrite, protected=protected)

    shown = {f'fold {name}': items for name, items in parts.items()} if folds else parts
    shown_shares = dict(zip(shown, shares.values(), strict=True))
    if test_list:
        shown = {**shown, HELD: sorted(held_labels)}
    return '\n'.join(
        [
            split_table(labels, shown, shown_shares, data.has_boxes),
            *_notes(data, groups, copies),
            *_few_notes(short),
            _where(target, folds),
        ]
    )


def read_source(
    source: str, images: str | None = None, classes: Sequence[str] | None = None
) -> SplitSource:
    """Read a data set in whatever layout it has."""
    if os.path.isfile(source):
        return read_coco_split(source, images)
    if not os.path.isdir(source):
        raise UserError(f'{source}: no such folder or COCO JSON')
    folders = find_voc_folders(source)
    if folders:
        return split_voc_folder(source, folders, classes)
    coco = find_coco_json(source)
    if coco and not _is_classified(source):
        return read_coco_split(coco, images)
    try:
        return split_class_folders(source)
    except UserError:
        require_sound_json(source)
        raise


def _is_classified(source: str) -> bool:
    """Say whether class folders have so many images that a JSON is a stray."""
    try:
        return recognise(source) == 'class-folders'
    except UserError:
        return False


def _require_images(data: SplitSource, held: Mapping[str, str | None]) -> None:
    images = {**{name: data.images[name] for name in data.labels}, **held}
    problems = [problem for i in images.values() if i and (problem := file_problem(i))]
    raise_refused(data.root, problems)


def _require_class_names(data: SplitSource) -> None:
    names = {name for labels in data.labels.values() for name in labels}
    if problems := class_problems(sorted(names)):
        raise AnnotationError(data.root, problems)


def _without_classes(data: SplitSource, ignored: Collection[str]) -> SplitSource:
    known = sorted({name for labels in data.labels.values() for name in labels})
    for name in ignored:
        if name not in known:
            hint = nearest_class(name, known) or ', '.join(known)
            raise UserError(f'{data.root}: no class {name!r} to ignore; known: {hint}')
    labels = {
        item: Counter({name: n for name, n in boxes.items() if name not in ignored})
        for item, boxes in data.labels.items()
    }
    if not data.has_boxes:
        labels = {item: counts for item, counts in labels.items() if counts}
    return replace(data, labels=labels)


def _without_images(data: SplitSource, exclude: str) -> SplitSource:
    given = read_excluded(exclude)
    names = {name if name in data.images else without_suffix(name) for name in given}
    there = names & set(data.images)
    if not there:
        raise UserError(f'{exclude}: none of its images is in {data.root}')
    labels = {name: n for name, n in data.labels.items() if name not in there}
    notes = {
        f'images left out, as {exclude} has them': len(there),
        f'images of {exclude} that do not exist': len(names - there),
    }
    return replace(data, labels=labels, notes=data.notes + Counter(notes))


def _groups(
    labels: Mapping[str, Mapping[str, int]],
    images: Mapping[str, str | None],
    has_boxes: bool,
    group_by: re.Pattern[str] | Mapping[str, str] | None,
) -> dict[str, str]:
    """Group what shows the same or, by its name, was made from one image."""
    paths = {name: images[name] or name for name in sorted(labels)}
    found = content_groups(scan_images(path for path in images.values() if path))
    contents = {name: found[path] for name, path in paths.items() if path in found}
    if isinstance(group_by, re.Pattern):
        return merge_groups(contents, match_sources(paths, group_by))
    if group_by is not None:
        return merge_groups(contents, {n: group_by[n] for n in paths if n in group_by})
    records = (
        ImageRecord(name, path, label=None if has_boxes else min(labels[name]))
        for name, path in paths.items()
    )
    source_of = {
        path: str(number)
        for number, (_, group) in enumerate(source_groups(records))
        for path in group
    }
    sources = {n: source_of[path] for n, path in paths.items() if path in source_of}
    return merge_groups(contents, sources)


def _plain_lists(
    data: SplitSource, parts: Mapping[str, Sequence[str]]
) -> dict[str, str | None]:
    return {f'{p}{data.suffix}': data.render(parts.get(p, ())) for p in PARTS}


def _fold_lists(
    data: SplitSource, folds: Mapping[str, Sequence[str]], target: str
) -> dict[str, str | None]:
    lists: dict[str, str | None] = {}
    for fold, val in folds.items():
        train = sorted(set().union(*folds.values()) - set(val))
        for part, names in zip(PARTS, (train, val, val), strict=True):
            path = os.path.join(fold_folder(int(fold)), f'{part}{data.suffix}')
            lists[path] = data.render(names)
    for old in fold_numbers(target):
        for part in PARTS:
            path = os.path.join(fold_folder(old), f'{part}{data.suffix}')
            lists.setdefault(path, None)
    return lists


def _held_lists(
    lists: Mapping[str, str | None],
    data: SplitSource,
    test_list: str,
    names: Collection[str],
) -> dict[str, str]:
    """Return all test lists with the held images; one of boxes stays as it is."""
    if data.has_boxes and test_list.endswith(data.suffix):
        with open(test_list, encoding='utf-8', newline='') as file:
            text = file.read()
    else:
        text = data.render(names)
    tests = (name for name, old in lists.items() if old is not None)
    return {n: text for n in tests if os.path.basename(n) == f'test{data.suffix}'}


def _notes(
    data: SplitSource, groups: Mapping[str, str], copies: Sequence[str]
) -> list[str]:
    notes = [counted(count, what) for what, count in data.notes.items() if count]
    notes += data.remarks
    shared = shared_groups({n: g for n, g in groups.items() if n in data.labels})
    if shared:
        sizes = [len(items) for items in shared.values()]
        notes.append(
            f'{sum(sizes)} images belong together, in '
            f'{counted(len(sizes), "groups")} of at most {max(sizes)}; each group is '
            f'in one part: {shown([n for items in shared.values() for n in items], 3)}'
        )
    if copies:
        more = ', ...' if len(copies) > _MOST_SHOWN else ''
        notes.append(
            f'{counted(len(copies), "images are", "image is")} in no part, for showing '
            'the same as one of the held test list, or coming from one thing with it: '
            f'{", ".join(sorted(copies)[:_MOST_SHOWN])}{more}'
        )
    return notes


def _few_notes(short: Mapping[str, int]) -> list[str]:
    if not short:
        return []
    names = ', '.join(f'{name} ({count})' for name, count in short.items())
    return [f'too few separate images for every part, so in train only: {names}']


def _where(target: str, folds: int | None) -> str:
    if folds is None:
        return f'lists: {target}'
    return (
        f'lists: {os.path.join(target, fold_folder(0))} to {fold_folder(folds - 1)}; '
        'a config takes those of one by --cfg-options fold=0'
    )
