"""Numbers in a report's page, and in the part of the JSON that they must be in."""

import re

from tests.pages.parsing import Page, unbroken

_NUMBER = r'(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)'

_PARTS = {
    'header': (
        *('summary', 'notes', 'overall', 'thresholds', 'images', 'objects'),
        *('run', 'mistakes', 'classes'),
    ),
    'classes': ('per_class', 'overall', 'interval', 'images', 'objects', 'classes'),
    'threshold': ('per_class', 'thresholds'),
    'curves': ('thresholds', 'classes'),
    'errors': ('errors', 'thresholds', 'classes'),
    'confusion': ('confusion', 'thresholds', 'classes'),
    'sizes': ('sizes', 'classes'),
    'worst': ('images_ranked', 'classes'),
    'best': ('images_ranked', 'classes'),
    'doubts': ('label_doubts', 'classes'),
    'calibration': ('calibration', 'overall'),
    'mistakes': ('mistakes', 'unsure'),
    'looks': ('typical', 'class_maps'),
    'attributes': ('attributes', 'interval'),
    'about': ('run', 'stock_metrics'),
}
"""What of ``report.json`` each section shows; the others what is called like them."""

_SAID = {
    'classes': {'0', '1', '0.5', '0.95', '2010'},
    'errors': {'2020'},
    'calibration': {'2017'},
    'looks': {'2017'},
    'attributes': {'1'},
    'sets': {'1'},
}
"""What the explanations say: bounds, and years of papers."""


class CellPage(Page):
    """A page whose numbers can be read.

    Attributes:
        pieces: Of each section, ``header`` the first, what is written in it,
            element by element. Marks of axes are left out.
    """

    def __init__(self, html):
        self.pieces, self._section, self._goes_on = {'header': []}, 'header', False
        super().__init__(html)

    def handle_starttag(self, tag, attrs):
        super().handle_starttag(tag, attrs)
        if tag == 'section':
            self._section = dict(attrs)['id']
            self.pieces[self._section] = []
        self._goes_on = tag == 'wbr'

    def handle_data(self, data):
        super().handle_data(data)
        if not {'style', 'script', 'text', 'code'} & set(self._open):
            pieces, data = self.pieces[self._section], unbroken(data)
            data = pieces.pop() + data if self._goes_on else data
            pieces.append(data)
        self._goes_on = False


def cell(estimate):
    """Write an estimate as a cell of a table has it: the value, then from where to."""
    if estimate['value'] is None:
        return '\N{EN DASH}'
    return '{value:.3f}{low:.3f} to {high:.3f}'.format(**estimate)


def assert_numbers_are_in(page, content):
    """Check that each number of a page is in its part of the JSON, as rounded there.

    So is each number that a pointer over a chart shows. Of curves only the
    drawing is in the page.
    """
    count = 0
    for section, pieces in page.pieces.items():
        parts = _PARTS.get(section, (section,))
        known = {key: content[key] for key in parts if key in content}
        numbers = list(_numbers(known))
        written = set(re.findall(_NUMBER, '\n'.join(_strings(known))))
        for piece in pieces:
            for found in re.finditer(_NUMBER, piece):
                shown = found.group().rstrip(',')
                percent = piece[found.end() : found.end() + 1] == '%'
                count += 1
                assert (
                    shown in written
                    or shown in _SAID.get(section, ())
                    or any(_is_shown_as(number, shown, percent) for number in numbers)
                ), f'{section}: {shown} in {piece!r}'
    assert count > 20


def _is_shown_as(number, shown, percent):
    if percent:
        number *= 100
    digits = len(shown.partition('.')[2])
    if not digits and number != round(number):
        return False
    return f'{abs(number):,.{digits}f}' == shown


def _numbers(node):
    """Yield all numbers, and how many items each list has."""
    if isinstance(node, dict):
        node = list(node.values())
    elif isinstance(node, list):
        yield len(node)
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
