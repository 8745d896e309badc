"""Where images are from, as a list beside them says.

``sources.txt`` lies in the folder of a data set: on each line the path of an image,
or of a folder of images, relative to the list's own folder; a tab; and the source's
name. Lists of images, annotations and configs need not know of it.
"""

import os
from collections.abc import Sequence
from functools import cache

from custom_datasets.class_names import read_lines
from custom_datasets.errors import AnnotationError

FILE = 'sources.txt'

MOST_LEVELS = 5
"""How many folders above an image are looked into: those of a data set."""


def find_sources(paths: Sequence[str]) -> list[str | None]:
    """Return the source of each image; None where no list names one.

    The nearest list above an image counts. Where none is above the path as it is
    given, what its links lead to is looked at.

    Args:
        paths: Of the image files.

    Raises:
        UserError: A list can't be read or is empty.
        AnnotationError: It has lines without a source.
    """

    @cache
    def read(folder: str) -> dict[str, str] | None:
        path = os.path.join(folder, FILE)
        return read_sources(path) if os.path.isfile(path) else None

    def find(path: str) -> str | None:
        for start in (os.path.abspath(path), os.path.realpath(path)):
            folder, inside = os.path.split(start)
            for _ in range(MOST_LEVELS):
                sources = read(folder)
                if sources is not None:
                    return _longest(sources, inside)
                folder, name = os.path.split(folder)
                inside = f'{name}/{inside}'
        return None

    return [find(path) for path in paths]


def read_sources(path: str) -> dict[str, str]:
    """Read a list of sources.

    Returns:
        The source of each image or folder.

    Raises:
        AnnotationError: With every line that has no tab, no path or no source, and
            every path that stands there with two.
    """
    sources: dict[str, str] = {}
    problems = []
    for number, line in read_lines(path):
        name, _, source = (part.strip() for part in line.rpartition('\t'))
        name = os.path.normpath(name.replace('\\', '/')) if name else ''
        if not (name and source):
            problems.append(f'line {number}: no tab and source behind the path')
        elif sources.setdefault(name, source) != source:
            problems.append(f'line {number}: {name} is of {sources[name]} already')
    if problems:
        raise AnnotationError(path, problems)
    return sources


def render_sources(sources: dict[str, str]) -> str:
    """Return the content of a list of sources."""
    return ''.join(f'{path}\t{name}\n' for path, name in sorted(sources.items()))


def _longest(sources: dict[str, str], inside: str) -> str | None:
    """Return the source of an image, else that of the nearest folder around it."""
    while inside and inside not in sources:
        inside = inside.rpartition('/')[0]
    return sources.get(inside or '.')
