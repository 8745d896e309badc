"""Building HTML and SVG so that text is always escaped and tags always close."""

import re
from collections.abc import Iterable
from html import escape
from typing import TypeAlias

_VOID = frozenset(['br', 'meta', 'wbr'])
_SHORT = frozenset(['circle', 'image', 'line', 'path', 'rect'])


class Html(str):
    """Text that is markup already; any other text is escaped."""

    __slots__ = ()


Content: TypeAlias = 'str | int | None | Iterable[Content]'
"""What stands in an element: markup, text, a number, nothing, or several."""


def element(name: str, /, *content: Content, **attributes: str | float | None) -> Html:
    """Write one element.

    Args:
        name: Its tag.
        *content: What is in it.
        **attributes: ``class_`` becomes ``class`` and ``stroke_width``
            ``stroke-width``; None leaves an attribute out.
    """
    written = ''.join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = fragment(*content)
    if name in _VOID:
        return Html(f'<{name}{written}>')
    if name in _SHORT and not inner:
        return Html(f'<{name}{written}/>')
    return Html(f'<{name}{written}>{inner}</{name}>')


def fragment(*content: Content) -> Html:
    """Write several things one after the other."""
    return Html(''.join(map(_written, content)))


def extent(width: float, height: float) -> str:
    """Write a width and a height."""
    return f'{width:g}\N{MULTIPLICATION SIGN}{height:g}'


def clipped(text: str, most: int = 80) -> str:
    """Shorten a text, so that no page grows with what is in the data."""
    return text if len(text) <= most else f'{text[: most - 1]}…'


def breakable(text: str) -> list[Content]:
    """Let a name break where it has a joint rather than anywhere."""
    first, *others = re.split(r'(?<=[_.-])(?=[^_.-])', text)
    return [first, *([element('wbr'), part] for part in others)]


def _written(content: Content) -> str:
    if content is None:
        return ''
    if isinstance(content, Html):
        return content
    if isinstance(content, (str, int)):
        return escape(str(content))
    return ''.join(map(_written, content))


def _plain(value: str | float) -> str:
    """Write a coordinate with one decimal: a tenth of a pixel is not seen."""
    return f'{value:.1f}'.removesuffix('.0') if isinstance(value, float) else str(value)
