"""What all parts of the page are laid out with: sections, tables, figures."""

from collections.abc import Sequence

from custom_datasets.reporting.markup import Content, Html, clipped, element


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
            element('caption', caption),
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
        'span', swatch, element('span', clipped(name, 60), note), class_='name'
    )


def plural(count: int, what: str) -> str:
    """Write a count and what is counted."""
    return f'{count:,} {what}{"" if count == 1 else "s"}'


def _row(cells: Sequence[Content]) -> Html:
    first, *others = cells
    return element('tr', element('th', first, scope='row'), others)
