"""Files that people name, opened and read as text, JSON or YAML; nothing that waits."""

import json
import os
import re
import stat
from collections import Counter
from errno import EINVAL
from typing import Any, BinaryIO

import yaml  # type: ignore[import-untyped, unused-ignore]

from custom_datasets.errors import UserError
from custom_datasets.text import shown

MAX_DEPTH = 100
"""How many folders, or lists of a JSON, may be in each other: more than any set has."""

_TOO_DEEP = 'broken JSON (lists in lists, too deep)'

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))
_AS_LISTS = bytes.maketrans(b'{}', b'[]')


def open_file(path: str) -> BinaryIO:
    """Open a file to read its bytes.

    Raises OSError where it can't be read, and for a pipe or a device, which would keep
    its reader waiting.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(EINVAL, 'a pipe or a device, not a file', path)
    return open(path, 'rb')


def read_text(path: str) -> str:
    """Return a file's text in UTF-8, without a byte order mark.

    Raises OSError as :func:`open_file` does, and UnicodeError.
    """
    with open_file(path) as file:
        return file.read().decode('utf-8-sig')


def load_json(path: str, name: str | None = None) -> Any:
    """Load a JSON file, called ``name`` in messages; no object may repeat a key."""
    name = name or path
    try:
        text = read_text(path)
        content = json.loads(text, object_pairs_hook=_no_doubles)
    except OSError as error:
        raise UserError(f'{name}: {error.strerror}') from error
    except UnicodeError as error:
        raise UserError(f'{name}: not text in UTF-8; save it as such') from error
    except RecursionError as error:
        raise UserError(f'{name}: {_TOO_DEEP}') from error
    except ValueError as error:
        raise UserError(f'{name}: broken JSON ({error})') from error
    if _nests_beyond(text, MAX_DEPTH):
        raise UserError(f'{name}: {_TOO_DEEP}')
    return content


def parse_yaml(data: bytes) -> Any:
    """Read YAML in UTF-8 into dictionaries, lists and text; nothing has another type.

    Raises a UserError that says what is wrong, and on which line, but not which file.
    """
    try:
        return yaml.load(data.decode('utf-8-sig'), Loader=_Loader)
    except (UnicodeError, RecursionError, yaml.YAMLError) as error:
        raise UserError(_reason(error)) from error


def _nests_beyond(text: str, depth: int) -> bool:
    """Say whether lists and objects of sound JSON are deeper in each other.

    Python reads about a thousand levels, and fewer the deeper its own calls are: then
    one command would stumble over a file that another one takes.
    """
    data = text.encode()
    marks = data.translate(_AS_LISTS, _NO_MARKS).replace(b'""', b'')
    if b'"' in marks or b'\\"' in data:
        # A text has brackets or quotes in it, which few have, since this takes longer.
        marks = _STRING.sub(b'', data).translate(_AS_LISTS, _NO_MARKS)
    for _ in range(depth):
        if not marks:
            return False
        marks = marks.replace(b'[]', b'')
    return bool(marks)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = [key for key, count in counts.items() if count > 1]
        raise ValueError(f'twice in one object: {shown(twice)}')
    return result


class _Loader(yaml.BaseLoader):  # type: ignore[misc, unused-ignore]
    """Reads text without types, so that the class "no" is a name, and no key twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Raise an error at the second of two equal keys."""
        keys = set()
        for key, _ in node.value:
            if not isinstance(key.value, str):
                continue  # A list, which the rest of this refuses.
            if key.value in keys:
                text = f'{key.value} appears twice'
                raise yaml.MarkedYAMLError(problem=text, problem_mark=key.start_mark)
            keys.add(key.value)
        return super().construct_mapping(node, deep)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return 'not text in UTF-8; save it as such'
    if isinstance(error, RecursionError):
        return 'broken YAML (lists in lists, too deep)'
    mark = getattr(error, 'problem_mark', None)
    place = f'line {mark.line + 1}: ' if mark else ''
    problem = getattr(error, 'problem', None) or str(error).splitlines()[0]
    return f'broken YAML ({place}{problem})'
