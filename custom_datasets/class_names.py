"""Class names: reading a list of them, and finding the one that was meant."""

import difflib
import os
import re
from collections.abc import Sequence

from custom_datasets.errors import ConfigError


def nearest_class(name: str, classes: Sequence[str]) -> str | None:
    """Find the known class that ``name`` was most likely meant to be.

    Case, spaces, hyphens and underscores are ignored first; what is left is
    compared by :func:`difflib.get_close_matches`.

    Returns:
        One of ``classes``, or None where nothing is close.
    """
    squeezed = {_squeeze(known): known for known in classes}
    match = difflib.get_close_matches(_squeeze(name), squeezed, n=1, cutoff=0.6)
    return squeezed[match[0]] if match else None


class UnknownClasses:
    """Collects objects of unknown classes into one problem a class.

    Args:
        classes: The known names.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        """Start with none."""
        self.classes = classes
        self._places: dict[str, list[str]] = {}

    def add(self, name: str, place: str) -> None:
        """Note an object of class ``name``; ``place`` starts with its file."""
        self._places.setdefault(name, []).append(place)

    def problems(self) -> list[str]:
        """Say for each unknown class where it is and which one is nearest."""
        return [
            f'{places[0]}: {self._hint(name)}'
            + (f' ({len(places)} of them, the others e.g. {"; ".join(places[1:3])})')
            * (len(places) > 1)
            for name, places in self._places.items()
        ]

    def _hint(self, name: str) -> str:
        nearest = nearest_class(name, self.classes)
        known = ', '.join(self.classes)
        hint = f'did you mean {nearest!r}?' if nearest else f'known: {known}'
        return f'unknown class {name!r}; {hint}'


def read_classes(source: str | Sequence[str]) -> tuple[str, ...]:
    """Read class names in the order that numbers them.

    Args:
        source: The names, or the path of a text file with one name a line.

    Raises:
        ConfigError: The file is missing, a name is empty or stands twice.
    """
    if isinstance(source, str):
        if not os.path.isfile(source):
            raise ConfigError(f'{source}: no such class list (one name a line)')
        with open(source, encoding='utf-8') as file:
            names = [line.strip() for line in file if line.strip()]
    else:
        names = [str(name) for name in source]
    if not names or not all(names):
        raise ConfigError(f'{source}: the class list is empty or has an empty name')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f'class list: {", ".join(twice)} stands there twice')
    return tuple(names)


def _squeeze(name: str) -> str:
    return re.sub(r'[\s_-]+', '', name).casefold()
