"""YAML as people write it by hand: all of it text, and no key twice."""

from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from custom_datasets.errors import UserError


def parse_yaml(data: bytes) -> Any:
    """Read YAML in UTF-8 into dictionaries, lists and text; nothing has another type.

    Raises a UserError that says what is wrong, and on which line, but not which file.
    """
    try:
        return yaml.load(data.decode('utf-8-sig'), Loader=_Loader)
    except (UnicodeError, RecursionError, yaml.YAMLError) as error:
        raise UserError(_reason(error)) from error


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
