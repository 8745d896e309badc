"""What every page is: one HTML file that needs no other and runs nothing."""

import colorsys
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple, TypeAlias

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

LIGHT: Colour = (255, 255, 255)
DARK: Colour = (22, 25, 31)
"""What charts are drawn on."""

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


_SHEET = """
:root { color-scheme: light dark; --ground: #ffffff; --panel: #f4f5f7;
  --text: #1b1f24; --soft: #5a6270; --rule: #d9dde3; --accent: #2f6db5;
  --error: #b3261e; --warning: #8a5a00; --note: #4a5568;
  --tint: 47 109 181; --tint-wrong: 200 60 50; --edge: rgb(0 0 0 / .18); }
@media (prefers-color-scheme: dark) { :root { --ground: #16191f; --panel: #20242c;
  --text: #e7e9ee; --soft: #a3abb8; --rule: #363c47; --accent: #76aef0;
  --error: #ff8f86; --warning: #f2bf5e; --note: #aab4c3;
  --tint: 84 140 214; --tint-wrong: 214 92 84; --edge: rgb(0 0 0 / .6); } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; max-width: 1160px; padding: 24px 16px 64px;
  background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
  overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; }
h2 { margin: 56px 0 12px; padding-top: 16px; border-top: 1px solid var(--rule);
  font-size: 1.35rem; line-height: 1.25; }
h3 { margin: 0; font-size: 1rem; line-height: 1.35; }
p { margin: 0 0 12px; max-width: 70ch; }
ul { margin: 0; padding: 0; list-style: none; }
code { font: .85em ui-monospace, Menlo, Consolas, monospace; }
small, .source, figcaption, caption, .hint { color: var(--soft); font-size: .85rem; }
.source { margin: 4px 0 20px; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; }
nav a { padding: 6px 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(100px, 1fr));
  gap: 8px; margin: 0 0 16px; }
.facts div { padding: 10px 14px; border-radius: 8px; background: var(--panel); }
.facts dt { color: var(--soft); font-size: .85rem; }
.facts dd { margin: 0; font-size: 1.4rem; line-height: 1.2;
  font-variant-numeric: tabular-nums; }
.facts .error dd { color: var(--error); } .facts .warning dd { color: var(--warning); }
.facts .words dd { font-size: 1.1rem; line-height: 1.53; }
.wide { overflow-x: auto; margin: 0 0 20px;
  background: linear-gradient(to right, var(--ground) 24px, transparent) 0 0,
  linear-gradient(to left, var(--ground) 24px, transparent) 100% 0,
  linear-gradient(to right, var(--edge), transparent) 0 0,
  linear-gradient(to left, var(--edge), transparent) 100% 0;
  background-size: 48px 100%, 48px 100%, 14px 100%, 14px 100%;
  background-repeat: no-repeat; background-attachment: local, local, scroll, scroll; }
table { border-collapse: collapse; min-width: min(100%, 300px); }
caption { padding: 0 0 8px; text-align: left; }
caption span { display: inline-block; position: sticky; left: 0;
  max-width: min(70ch, 100vw - 44px); }
th, td { padding: 6px 0 6px 16px; border-bottom: 1px solid var(--rule);
  text-align: right; vertical-align: top; font-variant-numeric: tabular-nums; }
th { font-weight: 600; } thead th { font-size: .85rem; color: var(--soft);
  vertical-align: bottom; overflow-wrap: normal; }
th:first-child { padding: 6px 8px 6px 0; text-align: left; min-width: 116px;
  overflow-wrap: break-word; }
tbody th { font-weight: 400; } tfoot th, tfoot td { border: 0; font-weight: 600; }
td { overflow-wrap: normal; white-space: nowrap; }
td small, .name small { display: block; line-height: 1.2; }
.bar { display: block; width: 100%; min-width: 34px; height: 4px; margin-top: 2px; }
.rest { fill: var(--rule); }
.name { display: inline-flex; align-items: baseline; gap: 8px; }
.name > span { max-width: 50vw; overflow-wrap: break-word; text-align: left; }
.swatch { flex: none; width: 11px; height: 11px;
  border-radius: 3px; background: var(--original, var(--soft));
  box-shadow: inset 0 0 0 1px rgb(0 0 0 / .25); }
.figures { display: grid; gap: 28px 36px; margin: 0 0 28px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); }
figure { margin: 0; min-width: 0; }
figure h3 { color: var(--text); } figcaption p { margin: 2px 0 8px; }
figcaption > * { display: block; } figcaption b { color: var(--text);
  font-weight: 600; }
.chart { display: block; width: 100%; max-width: 420px; height: auto; }
.chart text { fill: var(--soft); font-size: 11.5px; }
.ranges > g > text { fill: var(--text); paint-order: stroke; stroke: var(--ground);
  stroke-width: 4px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.fill { fill: var(--seen, var(--accent)); }
.bubbles .fill { fill-opacity: .55; stroke: var(--ground); stroke-width: .5; }
.curve path { fill: none; stroke: var(--seen, var(--accent)); stroke-width: 2;
  stroke-linejoin: round; }
.curve.soft path { stroke: var(--soft); stroke-width: 1.5; }
.curve.dashed path { stroke-dasharray: 5 4; }
.dot { fill: var(--seen, var(--accent)); stroke: var(--ground); stroke-width: 1.5; }
.interval { display: block; width: 100%; min-width: 90px; height: 8px;
  margin-top: 4px; }
.mark-here { fill: var(--text); }
.heated { background: rgb(var(--tint) / var(--heat)); }
.heated.wrong { background: rgb(var(--tint-wrong) / var(--heat)); }
.whisker { stroke: var(--seen); stroke-width: 1.5; }
.box { fill: var(--seen, var(--accent)); fill-opacity: .45; }
.middle { stroke: var(--text); stroke-width: 2; }
.maps { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fill, minmax(min(45%, 150px), 1fr)); }
.heat { display: block; width: 100%; aspect-ratio: var(--frame);
  background: var(--panel); border: 1px solid var(--rule); }
.picture { display: block; width: 100%; aspect-ratio: var(--frame);
  border-radius: 4px; background: var(--panel); }
.gallery, .tiles, .pair, .before-after { display: grid; gap: 20px 16px; }
.gallery { grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); }
.tiles { grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); }
.tiles figcaption { font-size: .78rem; line-height: 1.35; }
.pair { grid-template-columns: repeat(auto-fill, minmax(min(46%, 300px), 1fr)); }
.before-after { grid-template-columns: repeat(3, minmax(0, 1fr)); margin: 0 0 28px; }
.outlines { fill: none; stroke-width: 2px; filter: drop-shadow(0 0 1px #000); }
.outlines rect { stroke: var(--original, #fff); vector-effect: non-scaling-stroke; }
.outlines .unknown, .outlines .difficult { stroke-dasharray: 5 3; }
.verdict-found, .verdict-correct { stroke-width: 1.5px; opacity: .75; }
.verdict-ignored { stroke-dasharray: 5 3; }
.verdict-missed, .verdict-confused, .verdict-false { stroke-width: 3px; }
th b { overflow-wrap: normal; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 12px;
  max-width: 960px; margin: 0 0 28px; }
.large figcaption { font-size: .85rem; }
.large { --frame: 1;
  grid-template-columns: repeat(auto-fill, minmax(min(46%, 200px), 1fr)); }
pre { margin: 0 0 16px; padding: 10px 14px; overflow-x: auto; border-radius: 8px;
  background: var(--panel); line-height: 1.4; }
td.words { text-align: left; white-space: normal; min-width: 180px;
  overflow-wrap: anywhere; }
article > .hint { margin: 0 0 8px; } small.below { display: block;
  font-weight: 400; min-width: 130px; line-height: 1.3; }
.summary { margin: 0 0 12px; max-width: 80ch; } .summary li { margin: 0 0 6px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0 0 14px; }
.findings { display: grid; gap: 24px 36px; margin: 0 0 24px; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
.findings > * { min-width: 0; } .finding small { font-weight: 400; }
.finding h3 { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; }
.finding li { margin: 6px 0; } .finding li > * { display: block; }
.finding p.hint { margin: 2px 0 6px; }
.finding details { margin-top: 4px; }
summary { padding: 6px 0; color: var(--accent); cursor: pointer; }
.marks { display: flex; flex-wrap: wrap; gap: 8px; margin: 0 0 8px; }
.pair { margin: 0 0 28px; }
.mark { padding: 0 8px; border: 1px solid; border-radius: 99px; color: var(--note);
  font-size: .8rem; font-weight: 400; }
.mark.error { color: var(--error); } .mark.warning { color: var(--warning); }
.refusal { padding: 10px 14px; border-left: 3px solid var(--warning);
  background: var(--panel); }
@media (max-width: 640px) {
  .before-after { grid-template-columns: 1fr 1fr; }
  .before-after figure:first-child { grid-column: 1 / -1; }
  th, td { padding-left: 8px; } th:first-child { min-width: 92px; }
  small.below { min-width: 88px; } .interval { min-width: 72px; }
  table { font-size: .92rem; } .name { gap: 6px; }
}
"""


def style_sheet(colours: Sequence[Colour]) -> str:
    """Return the sheet, with a class ``c0``, ``c1``, ... for each colour.

    Over an image a colour is as it is; in charts it is moved away from the
    background until it can be seen there.
    """
    light = ''.join(
        f'.c{index} {{ --original: {css(colour)}; --seen: '
        f'{css(readable(colour, LIGHT))}; }}\n'
        for index, colour in enumerate(colours)
    )
    dark = ''.join(
        f'.c{index} {{ --seen: {css(readable(colour, DARK))}; }}\n'
        for index, colour in enumerate(colours)
    )
    return f'{_SHEET}{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n'


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
        element('style', Html(style_sheet(colours) + style)),
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


def plural(count: int, what: str, many: str = '') -> str:
    """Write a count and what is counted; ``many`` where no s makes its plural."""
    return f'{count:,} {what if count == 1 else many or f"{what}s"}'


def _row(cells: Sequence[Content]) -> Html:
    first, *others = cells
    return element('tr', element('th', first, scope='row'), others)
