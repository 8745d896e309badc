"""Portraits with an age and a gender, from class folders or a CSV."""

import csv
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from custom_datasets.data.image_kinds import IMAGE_SUFFIXES
from custom_datasets.errors import UserError
from custom_datasets.files import MARK

_GENDERS = {
    'female': ('female', 'f', 'woman', 'women', 'w'),
    'male': ('male', 'm', 'man', 'men'),
}
_WORDS = ('twenties', 'thirties', 'forties', 'fifties', 'sixties')
_AGE = re.compile(r'(\d+)(?:\.\d+)?(?:s|\s*-\s*(\d+))?')
_PATHS = ('path', 'file', 'image', 'filename')


@dataclass(frozen=True, slots=True)
class Portrait:
    """One photograph, as its folder or its row of a CSV describes it.

    It has a class such as ``30s_male``, or a ``problem`` that says why it has none.
    """

    name: str
    path: str
    label: str
    person: str = ''
    problem: str = ''


def read_portraits(source: str, classes: Collection[str]) -> list[Portrait]:
    """Read all portraits, with and without a class.

    Class folders are named by decade and gender in any order: ``20s_male``,
    ``male 20``, ``thirties-women``. A CSV has the columns ``path`` (or ``file``,
    ``image``, ``filename``), relative to its own folder; ``age`` in years
    (``34``), or the years of a decade (``30-39``, ``30s``); ``gender``; and
    ``person``, if it is known who it is.
    """
    if not os.path.exists(source):
        raise UserError(
            f'{source}: does not exist; give a folder of class folders, or a CSV'
        )
    read = _read_folders if os.path.isdir(source) else _read_csv
    portraits = list(read(source, classes))
    if not portraits:
        raise UserError(f'{source}: has no images in class folders, or no rows')
    return portraits


def name_class(age: str, gender: str, classes: Collection[str]) -> tuple[str, str]:
    """Return the class of an age and a gender, or nothing and why there is none."""
    sex = next((g for g, words in _GENDERS.items() if gender.lower() in words), '')
    if not sex:
        return '', f'unknown gender {gender!r}'
    years = _AGE.fullmatch(age.strip().lower())
    decade = int(years[1]) // 10 if years else -1
    label = f'{decade}0s_{sex}'
    if years and int(years[2] or years[1]) // 10 == decade and label in classes:
        return label, ''
    return '', f'no class for the age {age!r}'


def _name_folder(folder: str, classes: Collection[str]) -> tuple[str, str]:
    words = re.findall(r'\d+(?:\s*-\s*\d+)?|[a-z]+', folder.lower())
    ages = [word for word in words if word[0].isdecimal()]
    ages += [f'{20 + 10 * _WORDS.index(word)}' for word in words if word in _WORDS]
    genders = [w for w in words if any(w in names for names in _GENDERS.values())]
    if len(ages) == len(genders) == 1:
        return name_class(ages[0], genders[0], classes)
    return '', "its folder's name has no age and gender"


def _read_folders(root: str, classes: Collection[str]) -> Iterator[Portrait]:
    for folder in sorted(os.listdir(root)):
        if folder.startswith('.') or not os.path.isdir(os.path.join(root, folder)):
            continue
        label, problem = _name_folder(folder, classes)
        for place, inner, files in os.walk(os.path.join(root, folder)):
            inner.sort()
            if MARK in files:  # Crops that were made of portraits.
                inner.clear()
                continue
            for file in sorted(files):
                path = os.path.join(place, file)
                if file.lower().endswith(IMAGE_SUFFIXES) and file[0] != '.':
                    name = os.path.relpath(path, root)
                    yield Portrait(name, path, label, problem=problem)


def _read_csv(source: str, classes: Collection[str]) -> Iterator[Portrait]:
    try:
        with open(source, encoding='utf-8-sig', newline='') as file:
            header = file.readline()
            file.seek(0)
            separator = max(',;\t', key=header.count)
            rows = [
                {str(k).strip().lower(): str(v or '').strip() for k, v in row.items()}
                for row in csv.DictReader(file, delimiter=separator)
            ]
    except (OSError, UnicodeError, csv.Error) as error:
        raise UserError(f'{source}: not a CSV in UTF-8 ({error})') from error
    names = set(rows[0]) if rows else set()
    column = next((name for name in _PATHS if name in names), None)
    if rows and not (column and {'age', 'gender'} <= names):
        raise UserError(
            f'{source}: needs the columns path, age and gender, but has '
            f'{", ".join(sorted(names))}'
        )
    for row in rows:
        row['name'] = os.path.normpath(row[str(column)]) if row[str(column)] else ''
    times = Counter(row['name'] for row in rows)
    for row in rows:
        name = row['name']
        label, problem = name_class(row['age'], row['gender'], classes)
        if times[name] > 1:
            label, problem = '', f'appears in {times[name]} rows'
        path = os.path.join(os.path.dirname(source), name)
        yield Portrait(name, path, label, row.get('person', ''), problem)
