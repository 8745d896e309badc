"""Tables, legends and numbers."""

import pytest

from custom_datasets.pages.kit import element, facts, heat_cell, legend, plural, table
from tests.pages.parsing import Page


@pytest.mark.parametrize(
    ('share', 'heat'), [(0, '0.00'), (0.5, '0.30'), (1, '0.60'), (3, '0.60')]
)
def test_a_cell_is_the_warmer_the_larger_its_share(share, heat):
    cell = heat_cell('7', share)
    assert Page(cell).all('td') == [{'class': 'heated', 'style': f'--heat: {heat}'}]


def test_a_wrong_cell_has_its_own_colour():
    assert Page(heat_cell('7', 0.5, 'wrong')).all('td', 'wrong')


def test_a_legend_names_each_colour():
    page = Page(legend([('cat', 'c0'), ('<dog>', 'c1')]))
    assert [mark['class'] for mark in page.all('i')] == ['swatch c0', 'swatch c1']
    assert page.text == 'cat<dog>'


def test_facts_have_a_class_only_where_one_is_given():
    page = Page(facts([('images', '1,200', ''), ('errors', '3', 'error')]))
    assert page.text == 'images1,200errors3'
    assert page.all('div') == [{}, {'class': 'error'}]


@pytest.mark.parametrize(
    ('count', 'words', 'text'),
    [
        (1, ('class', 'classes'), '1 class'),
        (2, ('class', 'classes'), '2 classes'),
        (0, ('image',), '0 images'),
        (1200, ('image',), '1,200 images'),
    ],
)
def test_counts_are_written_with_what_they_count(count, words, text):
    assert plural(count, *words) == text


def test_a_table_has_a_head_for_each_column():
    html = table('what', ['Class', 'a'], [['cat', element('td', '1')]], ['All'])
    page = Page(html)
    assert [head['scope'] for head in page.all('th')] == ['col', 'col', 'row', 'row']
    assert page.text == 'whatClassacat1All'
