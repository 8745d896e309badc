"""Advice on the classes of a data set: what to do with each, and what happens next.

A file that a team edits by hand, ``configs/waste/advice.yaml``::

    white-glass:
      en:
        sort: Empty and rinse it.
        becomes: New bottles.
      ko:
        sort: 내용물을 비우고 헹궈 주세요.
        becomes: 새 병이 됩니다.

One of the two languages is enough.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from custom_datasets.data.names import class_problems
from custom_datasets.data.opening import parse_yaml
from custom_datasets.errors import UserError
from custom_datasets.text import counted

LANGUAGES = ('en', 'ko')
"""English and Korean; an entry has one of them or both."""

_TEXTS = ('sort', 'becomes')
_MOST_SHOWN = 5


@dataclass(frozen=True)
class AdviceText:
    """What to do with what is of a class, and what happens next, in one language."""

    sort: str
    becomes: str


@dataclass(frozen=True)
class Advice:
    """What a file says of one class; a language that it leaves out is None."""

    en: AdviceText | None = None
    ko: AdviceText | None = None

    def text(self, language: str) -> AdviceText:
        """Return it in the language of a tag (``ko``, ``ko-KR``), else in English.

        Where the file leaves that language out, the other one takes its place.
        """
        korean = language.lower().split('-')[0] == 'ko'
        text = (self.ko or self.en) if korean else (self.en or self.ko)
        assert text is not None  # read_advice wants one.
        return text


def read_advice(path: str | os.PathLike[str]) -> dict[str, Advice]:
    """Read a file of advice; the class names have their accents in one spelling (NFC).

    Raises:
        UserError: It is missing, or anything in it is: one sentence for all of that.
    """
    name = os.path.normpath(path)
    if not os.path.isfile(name):
        raise UserError(
            f'{name}: no such file; advice=FILE says where it is now, advice=None '
            'does without it'
        )
    try:
        with open(name, 'rb') as file:
            entries = parse_yaml(file.read())
    except OSError as error:
        raise UserError(f'{name}: {error.strerror}') from error
    except UserError as error:
        raise UserError(f'{name}: {error}') from error
    if not isinstance(entries, dict) or not entries:
        raise UserError(
            f'{name}: names no class; write one a line, and its texts indented below, '
            'as in configs/waste/advice.yaml'
        )
    if problems := list(_problems(entries)):
        more = len(problems) - _MOST_SHOWN
        shown = '; '.join(problems[:_MOST_SHOWN])
        rest = f'; and {counted(more, "more problems", "more problem")}'
        raise UserError(f'{name}: {shown}{rest if more > 0 else ""}')
    return {
        _spelled(cls): Advice(**{lang: _text(texts) for lang, texts in entry.items()})
        for cls, entry in entries.items()
    }


def match_advice(
    advice: Mapping[str, Advice], classes: Iterable[str]
) -> dict[str, Advice]:
    """Return the advice on each class that has some, by the class's own spelling."""
    return {
        name: advice[_spelled(name)] for name in classes if _spelled(name) in advice
    }


def spare_entries(advice: Mapping[str, Advice], classes: Iterable[str]) -> list[str]:
    """Return the names in a file of advice that are none of the classes."""
    names = set(map(_spelled, classes))
    return [name for name in advice if name not in names]


def _problems(entries: Mapping[str, Any]) -> Iterator[str]:
    yield from class_problems(list(entries))
    for name, entry in entries.items():
        yield from _wrong_keys(name, entry, LANGUAGES, 'en, ko or both')
        for language, texts in _present(entry, LANGUAGES):
            place = f'{name}.{language}'
            yield from _wrong_keys(place, texts, _TEXTS, 'sort and becomes')
            for key in _TEXTS:
                if texts and isinstance(texts, dict) and key not in texts:
                    yield f'{place} lacks {key}'
            for key, text in _present(texts, _TEXTS):
                if not isinstance(text, str) or not text.strip():
                    yield f'{place}.{key} has no text'


def _wrong_keys(
    place: str, value: Any, keys: Sequence[str], needed: str
) -> Iterator[str]:
    if not isinstance(value, dict) or not value:
        yield f'{place} needs {needed}, indented below it'
        return
    for key in value:
        if key not in keys:
            yield f'{place} has {key!r}, where only {" and ".join(keys)} can be'


def _present(value: Any, keys: Sequence[str]) -> list[tuple[str, Any]]:
    return [(k, value[k]) for k in keys if isinstance(value, dict) and k in value]


def _text(texts: Mapping[str, str]) -> AdviceText:
    return AdviceText(**{key: texts[key].strip() for key in _TEXTS})


def _spelled(name: str) -> str:
    return normalize('NFC', name)
