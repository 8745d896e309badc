"""A new data set from an export: data, module, configs, split lists and a test."""

import keyword
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from custom_datasets.data.convert import convert, read_source
from custom_datasets.data.names import read_classes
from custom_datasets.data.reading import CLASS_LIST, UNLISTED, Source
from custom_datasets.data.split import split_dataset
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.files import read_mark, write_files, write_text
from custom_datasets.scaffold.files import (
    NewDataset,
    class_name,
    classification_files,
    detection_files,
)
from custom_datasets.versions import package_folder

_RATIOS = {'train': 8, 'val': 1, 'test': 1}


class Created(NamedTuple):
    """What was made of a source.

    ``report`` says what was converted and split, ``files`` and ``leaf``, the config to
    begin with, are paths below the repository. ``again`` has the commands that leave
    out damaged images, where the lists were made here.
    """

    report: str
    files: list[str]
    leaf: str
    again: str


def create_dataset(
    name: str,
    source: str,
    repository: str,
    *,
    format: str | None = None,
    group_by: re.Pattern[str] | None = None,
    seed: int = 0,
    skip_broken: bool = False,
    gpu: bool = False,
) -> Created:
    """Convert a data set and write everything that it needs to be trained.

    A source without parts, or without one to validate on, is split. Classes with too
    few images for every part are only in training. Files are written below
    ``repository``; without a ``gpu`` the leaf to begin with is a light one.

    Raises:
        ConfigError: The name can't be used.
        UserError: A file exists already, or the source can't be read or is of one
            class only. What was converted is removed again.
    """
    name = dataset_name(name)
    data = os.path.join(repository, 'data', name)
    _require_free(repository, name)
    existed = _require_made_of(source, data)
    if existed:
        converted = f'{data}: already exists, and is used as it is'
    else:
        converted = convert(
            source, data, source_format=format, skip_broken=skip_broken, divided=True
        )
    detection = os.path.isdir(os.path.join(data, 'Annotations'))
    try:
        _require_classes(source, data, detection)
        own_lists = _parts(_lists(data, detection)) >= {'train', 'val'}
        report = [converted, *_divide(data, detection, group_by, seed)]
        read = read_source(data, 'voc' if detection else 'class-folders')
        new = _describe(name, source, data, detection)
        _require_trained(source, read)
        new, unused = _without_unused(new, read)
        report += unused
        if detection:
            files = detection_files(new, read)
        else:
            files = classification_files(new, read)
        _write_new(repository, files)
    except (OSError, UserError, KeyboardInterrupt):
        if not existed:
            shutil.rmtree(data, ignore_errors=True)
        raise
    leaves = [
        path for path in files if path.startswith('configs/') and '_base_' not in path
    ]
    return Created(
        report='\n'.join(report),
        files=list(files),
        leaf=leaves[0] if gpu and not detection else leaves[-1],
        again='' if own_lists else _split_again(f'data/{name}', detection),
    )


def dataset_name(name: str) -> str:
    """Return a name that can be a module, or raise.

    Raises:
        ConfigError: It has other characters than letters, digits, hyphens and
            underscores, begins with a digit, or is Python's own; or its class
            would have the name of one of mmdet or mmpretrain.
    """
    module = name.strip().lower().replace('-', '_')
    if not re.fullmatch(r'[a-z][a-z0-9_]*', module) or keyword.iskeyword(module):
        raise ConfigError(
            f'{name!r} cannot be the name of a module: use the letters a-z, digits, '
            '- and _, beginning with a letter'
        )
    for package in ('mmdet', 'mmpretrain'):
        if class_name(module) in _classes(package):
            raise ConfigError(
                f'{class_name(module)} is a class of {package}; choose another name'
            )
    return module


def _split_again(data: str, detection: bool) -> str:
    tools = 'python tools/dataset_converters'
    split = f'{tools}/split.py {data} --few-to-train --overwrite --exclude'
    if detection:
        return f'{split} FILE   # with their names, one a line'
    # Which images are too small for its model, nobody has said.
    return f'{tools}/clean.py {data} --min-side 1\n  {split} {data}/removed.csv'


def _classes(package: str) -> set[str]:
    """Read the names of a package's data sets, without the import that takes long."""
    folder = package_folder(package)
    return {
        name
        for file in (Path(folder, 'datasets').glob('*.py') if folder else ())
        for name in re.findall(r'^class (\w+)', file.read_text(encoding='utf-8'), re.M)
    }


def _divide(
    data: str, detection: bool, group_by: re.Pattern[str] | None, seed: int
) -> list[str]:
    """Write the lists that the source lacks, and return notes on them."""
    lists = _lists(data, detection)
    parts = _parts(lists)
    if parts >= {'train', 'val'}:
        notes = _without_truth(data, detection)
        if 'test' not in parts:
            notes.append('no test part: tested on the validation set')
        return notes
    ratios, test_list, exclude = _RATIOS, None, None
    if parts == {'train', 'test'}:
        ratios = {'train': 8, 'val': 1}
        test_list = os.path.join(lists, 'test.txt')
        exclude = _list_unlisted(data) if detection else None
    split = split_dataset(
        data,
        ratios,
        test_list=test_list,
        group_by=group_by,
        exclude=exclude,
        few_to_train=True,
        seed=seed,
        overwrite=True,
    )
    if not test_list:
        return [split]
    note = 'no validation part: it is a ninth of train; test is as in the source'
    return [note, *_without_truth(data, detection), split]


def _describe(name: str, source: str, data: str, detection: bool) -> NewDataset:
    parts = _parts(_lists(data, detection))
    return NewDataset(
        name=name,
        about=f'Converted from {os.path.basename(os.path.abspath(source))}.',
        classes=read_classes(os.path.join(data, CLASS_LIST)),
        lists={part: part if part in parts else 'val' for part in ('val', 'test')},
    )


def _used(source: Source, part: str) -> set[str]:
    records = source.splits.get(part, ())
    names = {box.name for record in records for box in record.boxes}
    return names | {record.label for record in records if record.label is not None}


def _require_trained(source: str, read: Source) -> None:
    """Raise a UserError for classes that only other parts than train have."""
    held = _used(read, 'val') | _used(read, 'test')
    if untrained := sorted(held - _used(read, 'train')):
        raise UserError(
            f'{source}: training needs each class, but the train part lacks '
            f'{", ".join(untrained)}, which val or test has; move some images over'
        )


def _without_unused(new: NewDataset, source: Source) -> tuple[NewDataset, list[str]]:
    """Leave out classes that no part has, which training refuses; also say so."""
    used = set().union(*(_used(source, part) for part in _RATIOS))
    unused = [name for name in new.classes if name not in used]
    if not unused or not used:
        return new, []
    what = 'object' if source.format == 'voc' else 'image'
    note = f'not among the classes, for lack of an {what}: {", ".join(unused)}'
    classes = tuple(name for name in new.classes if name in used)
    return replace(new, classes=classes), [note]


def _lists(data: str, detection: bool) -> str:
    return os.path.join(data, 'ImageSets', 'Main') if detection else data


def _parts(folder: str) -> set[str]:
    return {p for p in _RATIOS if os.path.exists(os.path.join(folder, f'{p}.txt'))}


def _list_unlisted(data: str) -> str | None:
    """List annotated images that are in no part; class folders keep them apart."""
    root = os.path.join(data, 'Annotations')
    names = [
        os.path.splitext(os.path.relpath(str(record.annotation), root))[0]
        for record in read_source(data, 'voc').splits.get(UNLISTED, ())
    ]
    if not names:
        return None
    path = os.path.join(_lists(data, detection=True), f'{UNLISTED}.txt')
    write_text(path, ''.join(f'{name}\n' for name in names))
    return path


def _without_truth(data: str, detection: bool) -> list[str]:
    """Say that the test part has no objects, as in a competition."""
    test = read_source(data, 'voc').splits.get('test', ()) if detection else ()
    if not test or any(record.boxes for record in test):
        return []
    return ['no image of the test part has an object, so nothing is measured on it']


def _require_made_of(source: str, data: str) -> bool:
    """Say whether the data exist already, made of the same source.

    Raises:
        UserError: They are of another one, or the source is in their folder.
    """
    made_of = read_mark(data)
    converted = os.path.exists(os.path.join(data, CLASS_LIST))
    real, place = os.path.realpath(source), os.path.realpath(data)
    shown = os.path.join('data', os.path.basename(data))
    if os.path.commonpath([real, place]) == place:
        if made_of is not None and converted and real == place:
            return True
        raise UserError(
            f'{source}: is where the data set would be made; move it out of {shown}, '
            'or choose another name'
        )
    if made_of is None:
        return False
    if not converted or made_of not in ('', real):
        what = f'was made of {made_of}' if made_of else 'is another data set'
        raise UserError(f'{shown} {what}; remove it, or choose another name')
    return True


def _require_classes(source: str, data: str, detection: bool) -> None:
    classes = read_classes(os.path.join(data, CLASS_LIST))
    if not detection and len(classes) < 2:
        raise UserError(
            f'{source}: images of one class only ({classes[0]}); give the folder that '
            'holds the class folders'
        )


def _require_free(repository: str, name: str) -> None:
    places = [
        f'custom_datasets/datasets/{name}',
        f'custom_datasets/datasets/{name}.py',
        f'configs/_base_/datasets/{name}.py',
        f'configs/_base_/datasets/{name}_light.py',
        f'configs/{name}',
        f'tests/datasets/test_{name}.py',
    ]
    for place in places:
        if os.path.exists(os.path.join(repository, place)):
            raise UserError(
                f'{place}: already exists, and nothing is overwritten; choose another '
                f'name than {name}, or remove it yourself'
            )


def _write_new(repository: str, files: Mapping[str, str]) -> None:
    try:
        write_files(repository, {path: text.encode() for path, text in files.items()})
    except UserError as error:
        raise UserError(f'{error}; nothing was written') from error
