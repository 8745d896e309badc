"""What every page is: one HTML file that needs no other, written by a template."""

import colorsys
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

LIGHT: Colour = (255, 255, 255)
DARK: Colour = (22, 25, 31)
"""What charts are drawn on."""

MOST_BYTES = 8_000_000
"""A page is smaller whatever the data: pictures are limited in number and in size,
tables in rows, names in length."""

MOST_CLASSES = 60
"""Classes that a table has."""

MOST_COLOURS = 100
"""Beyond, classes share colours."""

NOTHING = '\N{EN DASH}'
"""Stands where a number is not defined."""

Estimate = Mapping[str, float | None]
"""A metric as JSON has it: ``value``, ``low``, ``high``."""

_GOLDEN_ANGLE = 0.381966
_LEAST_CONTRAST = 3.0  # For graphics: WCAG 2.2, success criterion 1.4.11.


def class_colours(count: int, palette: Any = None) -> list[Colour]:
    """Return a colour for each class.

    Args:
        count: How many classes there are.
        palette: That of ``METAINFO``; where it is none for so many classes
            (``random``, say), hues far apart are taken.
    """
    if isinstance(palette, Sequence) and not isinstance(palette, str):
        if len(palette) >= count and all(map(_is_colour, palette)):
            return [(int(r), int(g), int(b)) for r, g, b in palette[:count]]
    return [_hue((0.6 + index * _GOLDEN_ANGLE) % 1) for index in range(count)]


def readable(colour: Colour, ground: Colour) -> Colour:
    """Move a colour away from its background until it can be seen there."""
    target = 0 if contrast(ground, (0, 0, 0)) > contrast(ground, LIGHT) else 255
    for step in range(21):
        red, green, blue = (round(c + (target - c) * step / 20) for c in colour)
        if contrast((red, green, blue), ground) >= _LEAST_CONTRAST:
            break
    return red, green, blue


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of WCAG 2.2, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def css(colour: Colour) -> str:
    """Write a colour as a style sheet has it."""
    return '#{:02x}{:02x}{:02x}'.format(*colour)


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 3
        and all(isinstance(band, int) and 0 <= band <= 255 for band in value)
    )


def _hue(hue: float) -> Colour:
    red, green, blue = (round(255 * c) for c in colorsys.hls_to_rgb(hue, 0.5, 0.7))
    return red, green, blue


def _luminance(colour: Colour) -> float:
    shares = [band / 255 for band in colour]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def class_styles(classes: Sequence[str]) -> dict[str, str]:
    """Return the class of the style sheet for each class name."""
    return {name: f'c{index % MOST_COLOURS}' for index, name in enumerate(classes)}


def decimal(value: float | None) -> str:
    """Write a share with three decimals."""
    return NOTHING if value is None else f'{value:.3f}'


def interval(estimate: Estimate) -> str:
    """Write from where to where a metric is known; nothing where it is not."""
    low, high = estimate['low'], estimate['high']
    return '' if low is None or high is None else f'{low:.3f} to {high:.3f}'


def with_interval(estimate: Estimate) -> str:
    """Write a metric, and its interval in brackets."""
    limits = interval(estimate)
    return decimal(estimate['value']) + (f' ({limits})' if limits else '')


def percent(share: float) -> str:
    """Write a share, 0 to 1, as a percentage; with a decimal where it is small."""
    return f'{share:.1%}' if share < 0.1 else f'{share:.0%}'


def whole(count: int) -> str:
    """Write a count with commas between thousands."""
    return f'{count:,}'


def plural(count: int, what: str, many: str = '') -> str:
    """Write a count and what is counted; ``many`` where no s makes its plural."""
    return f'{count:,} {what if count == 1 else many or f"{what}s"}'


def extent(width: float, height: float) -> str:
    """Write a width and a height."""
    return f'{width:g}\N{MULTIPLICATION SIGN}{height:g}'


def clipped(text: str, most: int = 80) -> str:
    """Shorten a text, so that no page grows with what is in the data."""
    return text if len(text) <= most else f'{text[: most - 1]}…'


def base_name(path: str) -> str:
    """Return a file's name without its folders, clipped."""
    return clipped(os.path.basename(path), 60)


def joints(name: str) -> Markup:
    """Let a name break where it has a joint rather than anywhere."""
    return Markup('<wbr>').join(re.split(r'(?<=[_.-])(?=[^_.-])', name))


def neighbours(folder: str, page: str) -> list[tuple[str, str]]:
    """Return what lies beside a page and belongs to it, to be linked.

    Args:
        folder: Where the page is.
        page: Its file name, which is left out.

    Returns:
        What it is, and its path relative to the folder.
    """
    files = [(text, name) for name, text in _NEIGHBOURS.items() if name != page]
    paths = [(text, name) for text, name in files if (Path(folder) / name).is_file()]
    # No deeper: a page may be written to a home folder.
    levels = ('painted', '*/painted', '*/*/painted')
    painted = [path for level in levels for path in Path(folder).glob(level)]
    painted.sort(key=os.path.getmtime)
    if painted:
        paths.append(('painted pictures', f'{painted[-1].relative_to(folder)}/'))
    return paths


def render(
    template: str,
    *,
    heading: str,
    kind: str,
    colours: Sequence[Colour] = (),
    frame: float = 1.0,
    **content: Any,
) -> bytes:
    """Return a whole page.

    Args:
        template: Its file in ``templates/``, which extends ``page.html``.
        heading: What the page is about.
        kind: What sort of report it is, for the browser's tab.
        colours: One for each class ``c0``, ``c1``, ... of the style sheet.
        frame: Width over height of most pictures.
        **content: What the template shows; a name that is missing is an error.
    """
    text = environment.get_template(template).render(
        heading=clipped(heading),
        kind=kind,
        colours=colours,
        frame=frame,
        sections={},
        **content,
    )
    # A file name may hold what is not text.
    page = text.encode('utf-8', 'backslashreplace')
    assert len(page) < MOST_BYTES
    return page


_HERE = Path(__file__).parent

_NEIGHBOURS = {
    'report.html': 'what the model has learnt',
    'dataset_report.html': 'the data',
    'run.md': 'how it was trained',
    'report.json': 'the numbers of its report',
}


def _style_sheet(colours: Sequence[Colour]) -> Markup:
    """Return the sheet, with a class ``c0``, ``c1``, ... for each colour.

    Over an image a colour is as it is; in charts it is moved away from the
    background until it can be seen there.
    """
    light, dark = '', ''
    for index, colour in enumerate(colours):
        seen = css(readable(colour, LIGHT))
        light += f'.c{index} {{ --original: {css(colour)}; --seen: {seen}; }}\n'
        dark += f'.c{index} {{ --seen: {css(readable(colour, DARK))}; }}\n'
    sheet = (_HERE / 'style.css').read_text('utf-8')
    return Markup(f'{sheet}{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n')


def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / 'templates'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=['jinja2.ext.do'],
    )
    filters = (
        *(base_name, clipped, decimal, interval, joints),
        *(percent, plural, whole, with_interval),
    )
    environment.filters |= {function.__name__: function for function in filters}
    script = Markup((_HERE / 'script.js').read_text('utf-8'))
    environment.globals |= {
        'style_sheet': _style_sheet,
        'script': script,
        'extent': extent,
        'MOST_CLASSES': MOST_CLASSES,
        'NOTHING': NOTHING,
    }
    return environment


environment = _make_environment()
"""Where templates are found, with filters and names that all of them use."""


_VOID = frozenset(['br', 'meta', 'wbr'])
_SHORT = frozenset(['circle', 'image', 'line', 'path', 'rect'])


Html = Markup

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


class Section(NamedTuple):
    """A part of a page.

    Attributes:
        name: Its anchor.
        title: What the page's navigation calls it.
        body: What :func:`custom_datasets.pages.kit.section` wrote.
    """

    name: str
    title: str
    body: Html


def frame_page(
    heading: str,
    kind: str,
    header: Content,
    sections: Sequence[Section],
    colours: Sequence[Colour],
    frame: float,
    style: str = '',
) -> str:
    """Return a whole page.

    Args:
        heading: What it is about.
        kind: What sort of report it is, for the browser's tab.
        header: What stands between the heading and the navigation.
        sections: Its parts, in order.
        colours: One for each class ``c0``, ``c1``, ... of the style sheet.
        frame: Width over height of most pictures.
        style: What its sections need beyond the common style sheet.
    """
    links = [element('a', part.title, href=f'#{part.name}') for part in sections]
    head = element(
        'head',
        element('meta', charset='utf-8'),
        element('meta', name='viewport', content='width=device-width,initial-scale=1'),
        element('title', f'{heading}: {kind}'),
        element('style', _style_sheet(colours) + Markup(style)),
    )
    body = element(
        'body',
        element(
            'header',
            element('h1', heading),
            header,
            element('nav', links, aria_label='Sections'),
        ),
        element('main', [part.body for part in sections]),
        style=f'--frame: {frame:.2f}',
    )
    return fragment(Html('<!DOCTYPE html>'), element('html', head, body, lang='en'))


def encode_page(text: str, most_bytes: int) -> bytes:
    """Return a page's bytes; what is not text in a file name is escaped."""
    data = text.encode('utf-8', 'backslashreplace')
    assert len(data) < most_bytes
    return data


def section(name: str, title: str, *content: Content) -> Html:
    """Write a section that the page's navigation leads to."""
    return element('section', element('h2', title), *content, id=name)


def table(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[Content]],
    foot: Sequence[Content] = (),
) -> Html:
    """Write a table: the first cell of a row names it, the others are numbers."""
    first, *others = (element('th', clipped(head, 40), scope='col') for head in heads)
    body = [_row(row) for row in rows]
    return element(
        'div',
        element(
            'table',
            element('caption', element('span', caption)),
            element('thead', element('tr', first, others)),
            element('tbody', body),
            element('tfoot', _row(foot)) if foot else None,
        ),
        class_='wide',
        tabindex='0',
        role='region',
        aria_label=caption,
    )


def figure(title: str, text: str, content: Content = None) -> Html:
    """Write a chart under its title and what it says."""
    caption = element('figcaption', element('h3', title), element('p', text))
    return element('figure', caption, content)


def number(value: int | str, *below: Content) -> Html:
    """Write a cell of a table."""
    return element('td', f'{value:,}' if isinstance(value, int) else value, *below)


def class_name(name: str, style: str, note: Content = None) -> Html:
    """Write the name of a class beside its colour."""
    swatch = element('i', class_=f'swatch {style}', aria_hidden='true')
    return element(
        'span',
        swatch,
        element('span', breakable(clipped(name, 60)), note),
        class_='name',
    )


def heat_cell(content: Content, share: float, style: str = '') -> Html:
    """Write a cell of a table on a ground that is the stronger the larger a share.

    Args:
        content: What is in it.
        share: 0 to 1.
        style: ``wrong`` for the colour of errors; else that of the page.
    """
    return element(
        'td',
        content,
        class_=f'heated {style}'.rstrip(),
        style=f'--heat: {0.6 * min(max(share, 0.0), 1.0):.2f}',
    )


def legend(named: Iterable[tuple[str, str]]) -> Html:
    """Write names beside their colours: pairs of a name and its style."""
    items = [element('li', class_name(name, style)) for name, style in named]
    return element('ul', items, class_='legend')


def facts(rows: Iterable[tuple[str, str, str]]) -> Html:
    """Write a page's main numbers.

    Args:
        rows: What it is, the number, and a class of the style sheet or nothing.
    """
    written = [
        element('div', element('dt', name), element('dd', value), class_=style or None)
        for name, value, style in rows
    ]
    return element('dl', written, class_='facts')


def _row(cells: Sequence[Content]) -> Html:
    first, *others = cells
    return element('tr', element('th', first, scope='row'), others)
