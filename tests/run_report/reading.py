"""Numbers in a page, and in the JSON that they must be in."""

import re

from tests.reporting.parsing import Page


class CellPage(Page):
    """A page whose cells of tables and facts can be read.

    Attributes:
        cells: Text that stands directly in a ``td``, ``dd`` or ``small``.
        pieces: All text outside the style sheet, element by element.
    """

    def __init__(self, html):
        self.cells, self.pieces = [], []
        super().__init__(html)

    def handle_data(self, data):
        super().handle_data(data)
        if 'style' not in self._open:
            self.pieces.append(data)
        if self._open and self._open[-1] in ('td', 'dd', 'small'):
            self.cells.append(data)


def assert_numbers_are_in(page, content):
    """Check that each number of a page is in the JSON, rounded as the page does.

    Every number with three decimals wherever it stands, and every whole number
    that a cell of a table or a fact starts with. Curves are drawn only.
    """
    content = {key: value for key, value in content.items() if key != 'curves'}
    numbers = list(_numbers(content))
    text = ' '.join(_strings(content))
    decimals = {f'{abs(number):.3f}' for number in numbers} | set(
        re.findall(r'\d\.\d{3}(?!\d)', text)
    )
    whole = {f'{number:,}' for number in numbers if isinstance(number, int)}
    shown = re.findall(r'(?<![\d.])\d\.\d{3}(?![\d.])', ' '.join(page.pieces))
    assert shown
    assert not set(shown) - decimals
    counts = [
        count
        for cell in page.cells
        for count in re.findall(r'(?:^|(?<=, ))\d[\d,]*(?=$| )', cell)
    ]
    assert counts
    assert not set(counts) - whole


def _numbers(node):
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _numbers(child)
    elif isinstance(node, (int, float)) and not isinstance(node, bool):
        yield node


def _strings(node):
    if isinstance(node, dict):
        node = [*node, *node.values()]
    if isinstance(node, list):
        for child in node:
            yield from _strings(child)
    elif isinstance(node, str):
        yield node
