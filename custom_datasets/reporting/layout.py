"""What all parts of the page are laid out with: sections, tables, figures."""

from collections.abc import Iterable, Sequence

from custom_datasets.reporting.markup import (
    Content,
    Html,
    breakable,
    clipped,
    element,
)


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
