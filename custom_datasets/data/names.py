"""Class names: read from a list, folded by a map, and the one that was meant."""

import difflib
import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from io import StringIO

from custom_datasets.data.opening import read_text
from custom_datasets.errors import ConfigError, UserError

ANY_NAME = '*'
"""In a ``class_map``: every name that has no other place."""

_MOST_SHOWN = 5


def advise(name: str, classes: Sequence[str]) -> str:
    """Say which class an unknown name was most likely meant for, or which there are."""
    nearest = nearest_class(name, classes)
    if nearest is None:
        return f'known: {", ".join(classes)}'
    if _composed(nearest) == _composed(name):
        return f'it looks like {nearest!r}: that is {nearest!a}, and this {name!a}'
    return f'did you mean {nearest!r}?'


def nearest_class(name: str, classes: Sequence[str]) -> str | None:
    """Return the class that was most likely meant; None where nothing is close.

    Case, spaces, hyphens and underscores are ignored.
    """
    squeezed = {_squeeze(known): known for known in classes}
    match = difflib.get_close_matches(_squeeze(name), squeezed, n=1, cutoff=0.6)
    return squeezed[match[0]] if match else None


class UnknownClasses:
    """Collects objects of unknown classes into one problem per class."""

    def __init__(self, classes: Sequence[str]) -> None:
        """Start empty; ``classes`` are the known ones."""
        self.classes = classes
        self._files: dict[str, dict[str, int]] = {}

    def add(self, name: str, file: str) -> None:
        """Note an object of class ``name`` in ``file``."""
        files = self._files.setdefault(name, {})
        files[file] = files.get(file, 0) + 1

    def problems(self) -> list[str]:
        """Say for each unknown class where it is and which one is nearest."""
        return [self._problem(name, files) for name, files in self._files.items()]

    def _problem(self, name: str, files: dict[str, int]) -> str:
        first, *others = files
        text = f'{first}: unknown class {name!r}; {advise(name, self.classes)}'
        if others:
            more = ', ...' if len(others) > _MOST_SHOWN else ''
            shown = '; '.join(others[:_MOST_SHOWN]) + more
            text += f' ({sum(files.values())} times, also in {shown})'
        return text


def as_names(names: str | Sequence[str]) -> frozenset[str]:
    """Return names as a set; a single one may come as a plain string."""
    return frozenset([names] if isinstance(names, str) else names)


def fold_class(name: str, class_map: Mapping[str, str], kept: Collection[str]) -> str:
    """Return the class that a name in the data stands for.

    :data:`ANY_NAME` in the map stands for every name that is neither in it nor in
    ``kept``.
    """
    if name in class_map:
        return class_map[name]
    return name if name in kept else class_map.get(ANY_NAME, name)


def json_name(value: object) -> str:
    """Return the class that a JSON names by text or number; empty for all else."""
    if isinstance(value, str):
        return value.strip()
    is_number = type(value) is int or (type(value) is float and math.isfinite(value))
    return str(value) if is_number else ''


def require_class_map(class_map: Mapping[str, str], classes: Sequence[str]) -> None:
    """Raise a ConfigError where a map leads to a name that is not a class."""
    if not isinstance(class_map, Mapping):
        raise ConfigError(f'class_map: needs a dict of names, not {class_map!r}')
    for name, target in class_map.items():
        if target not in classes:
            raise ConfigError(
                f'class_map: {name!r} becomes {target!r}, which is not a class; known: '
                f'{", ".join(classes)}'
            )


class EmptyListError(UserError):
    """A list has no line that isn't blank."""


def read_lines(path: str) -> list[tuple[int, str]]:
    """Read the lines that are not blank, with their numbers, counted from 1.

    Spaces at both ends, a byte order mark and line ends of any system are removed.
    Raises an EmptyListError where nothing is left.
    """
    try:
        text = StringIO(read_text(path), newline=None)
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}') from error
    except UnicodeError as error:
        raise UserError(f'{path}: not text in UTF-8; save it as such') from error
    stripped = ((number, line.strip()) for number, line in enumerate(text, 1))
    lines = [(number, line) for number, line in stripped if line]
    if not lines:
        raise EmptyListError(f'{path}: the list is empty')
    return lines


def with_advice(error: UserError, path: str) -> UserError:
    """Return the error of a config's list, with what to do if there is none."""
    if os.path.exists(path):
        return error
    hint = 'set data_root, or run the converter that writes the split'
    return UserError(f'{error}; {hint}')


def spell_path(path: str, root: str) -> str:
    """Return a listed path relative to a root, and each file's in one spelling.

    ``./a.png``, ``x/../a.png`` and the absolute path are ``a.png``.
    """
    if '\\' in path and not os.path.lexists(os.path.join(root, path)):
        path = path.replace('\\', '/')
    if '\0' in path:
        return path  # No file is called so.
    if not path.startswith('/') and './' not in path and '//' not in path:
        return path  # Nearly all are, and lists are long.
    start, end = root or '.', os.path.join(root, path)
    for inside in (
        os.path.relpath(end, start),
        os.path.relpath(os.path.realpath(end), os.path.realpath(start)),
    ):
        if not inside.startswith('..'):
            return inside
    return os.path.normpath(path)


def class_problems(names: Iterable[str]) -> list[str]:
    """Say what is wrong with the names of a set's classes, in the order of numbers.

    A name is seen in lists, tables and configs, so it has no blanks at its ends and
    nothing that can't be seen: no-break spaces, zero-width characters, lost bytes. Nor
    is it another one with its accents or syllables in pieces, as a Mac names files.
    """
    counts = Counter(names)
    problems = [
        f'{name!r} is not a class name; rename it'
        for name in counts
        if not name or name != name.strip() or not name.isprintable()
    ]
    twice = [name for name, count in counts.items() if count > 1]
    problems += [f'class list: {name} appears twice' for name in twice]
    return problems + [
        f'{first!a} and {other!a} look the same, {first}; rename one of them'
        for first, other in _twins(counts)
    ]


def read_classes(source: str | Sequence[str]) -> tuple[str, ...]:
    """Read class names, given or in a file with one per line, as they are numbered.

    Raises a ConfigError where the file is missing, or a name is no use or there twice.
    """
    if isinstance(source, str):
        if not os.path.isfile(source):
            raise ConfigError(f'{source}: no such class list (one name per line)')
        try:
            names = [line for _, line in read_lines(source)]
        except UserError as error:
            raise ConfigError(str(error)) from error
    elif _is_list(source):
        names = [str(name) for name in source]
    else:
        raise ConfigError(
            f'classes={source!r}: needs a list of names, or the path of a file with '
            'one name per line'
        )
    if not names or not all(name.strip() for name in names):
        raise ConfigError(f'{source}: the class list is empty, or has an empty name')
    if problems := class_problems(names):
        raise ConfigError('; '.join(problems))
    return tuple(names)


def _twins(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of names that differ in their bytes only."""
    firsts: dict[str, str] = {}
    pairs = [(firsts.setdefault(_composed(name), name), name) for name in names]
    return [(first, name) for first, name in pairs if first != name]


def _composed(name: str) -> str:
    return unicodedata.normalize('NFC', name)


def _is_list(source: object) -> bool:
    if not isinstance(source, Sequence):
        return False
    return all(isinstance(name, (str, int, float)) for name in source)


def _squeeze(name: str) -> str:
    return re.sub(r'[\s_-]+', '', _composed(name)).casefold()
