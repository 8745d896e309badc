"""The frame of every page, its colours, its words, and what pages are made of."""

import numpy as np
import pytest
from jinja2 import ChoiceLoader, DictLoader, UndefinedError

from custom_datasets.pages.kit import (
    DARK,
    LIGHT,
    base_name,
    class_styles,
    clipped,
    contrast,
    environment,
    extent,
    interval,
    joints,
    percent,
    plural,
    readable,
    render,
    with_interval,
)
from custom_datasets.pages.pictures import Outline, make_picture
from tests.pages.parsing import Page

YELLOW, NAVY = (255, 187, 51), (0, 0, 90)


@pytest.fixture
def page_of(monkeypatch):
    """Return a function that reads the page of a template's text."""

    def read(main, **content):
        text = f"{{% extends 'page.html' %}}{{% block main %}}{main}{{% endblock %}}"
        loader = ChoiceLoader([DictLoader({'x': text}), templates])
        monkeypatch.setattr(environment, 'loader', loader)
        return Page(render('x', heading='A <b>', kind='report', **content).decode())

    templates = environment.loader
    environment.cache.clear()
    return read


def test_the_navigation_leads_to_each_section(page_of):
    page = page_of(
        "{% call ui.section('one', 'The <first>', '1st') %}text{% endcall %}"
        "{% call ui.section('two', 'Two') %}{{ word }}{% endcall %}",
        word='<i>',
        frame=1.5,
        colours=[(255, 0, 16)],
    )
    assert page.sections() == ['one', 'two']
    assert [link['href'] for link in page.all('a')] == ['#one', '#two']
    assert '1stTwoThe <first>textTwo<i>' in page.text
    assert page.text.startswith('A <b>: reportA <b>')
    assert page.all('body') == [{'style': '--frame: 1.50'}]
    assert not page.outside


def test_a_page_brings_its_style_its_colours_and_one_script(page_of):
    data = render('page.html', heading='x', kind='y', colours=[(255, 0, 16), NAVY])
    html = data.decode()
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert '--original: #ff0010' in html and '.c1 { --original: #00005a' in html
    assert '.wide {' in html and 'url(' not in html and '@import' not in html
    assert Page(html).all('script') == [{}]
    assert html.count('http') == 0


def test_what_a_template_asks_for_must_be_there(page_of):
    with pytest.raises(UndefinedError, match='word'):
        page_of('{{ word }}')


def test_a_page_that_is_too_large_is_never_written(page_of):
    assert render('page.html', heading='é\udcff', kind='y').count('é\\udcff'.encode())
    with pytest.raises(AssertionError):
        page_of('{{ word }}', word='a' * 8_000_000)


def test_a_cell_with_an_interval(page_of):
    page = page_of(
        '<table><tr>{{ ui.estimate(full) }}{{ ui.estimate(bare) }}</tr></table>',
        full={'value': 0.5, 'low': 0.25, 'high': 1.0},
        bare={'value': None, 'low': None, 'high': None},
    )
    assert '0.5000.250 to 1.000\N{EN DASH}' in page.text
    (bar,) = page.all('i', 'interval')
    assert bar['style'] == '--low: 0.250; --high: 1.000; --value: 0.500'


def test_the_larger_a_share_the_warmer_its_cell(page_of):
    page = page_of(
        '<table><tr>{{ ui.heat_cell(7, 0.5) }}{{ ui.heat_cell(8, 1, true) }}</tr>'
        '</table>'
    )
    right, wrong = page.all('td')
    assert right == {'class': 'heated', 'style': '--heat: 0.30'}
    assert wrong == {'class': 'heated wrong', 'style': '--heat: 0.60'}


def test_a_table_has_a_head_for_each_column(page_of):
    page = page_of(
        '{{ ui.plain_table("what", ["Class", "a"], [["<cat>", 1], ["dog", 2]]) }}'
    )
    assert [head['scope'] for head in page.all('th')] == ['col', 'col', 'row', 'row']
    assert page.text.endswith('whatClassa<cat>1dog2')


def test_names_stand_beside_their_colours(page_of):
    page = page_of('{{ ui.legend([("cat", "c0"), ("<dog>", "c1")]) }}')
    assert [mark['class'] for mark in page.all('i')] == ['swatch c0', 'swatch c1']
    assert page.text.endswith('cat<dog>')


def test_facts_have_a_class_only_where_one_is_given(page_of):
    page = page_of('{{ ui.facts([("images", "9", ""), ("errors", "3", "error")]) }}')
    assert page.text.endswith('images9errors3')
    assert page.all('div') == [{}, {'class': 'error'}]


def picture(*outlines):
    return make_picture(np.zeros((50, 100, 3), np.uint8), outlines)


def test_boxes_lie_where_they_lie_on_the_image(page_of):
    shown = picture(Outline((10, 5, 30, 15), '<cat>', 'c0', 0.25))
    page = page_of('{{ ui.picture(shown, "a cat") }}', shown=shown)
    (svg,) = page.all('svg', 'picture')
    assert svg['viewbox'] == '0 0 480.0 240.0' and svg['aria-label'] == 'a cat'
    (rect,) = page.all('rect')
    places = [float(rect[key]) for key in ('x', 'y', 'width', 'height')]
    assert places == [48, 24, 96, 48]
    (box,) = page.all('g', 'c0')
    assert (box['data-class'], box['data-score']) == ('<cat>', '0.2500')
    assert '<cat> 0.250<cat> 0.25' in page.text


def test_names_that_would_cover_an_image_are_left_to_the_enlarged_one(page_of):
    box = Outline((0, 0, 9, 9), 'cat', 'c0')
    few, many = picture(*[box] * 12), picture(*[box] * 13)
    hidden = picture(*[box] * 12, box._replace(style='c0 left-out'))
    for shown, crowded in ((few, 0), (many, 1), (hidden, 0)):
        page = page_of('{{ ui.picture(shown, "cats") }}', shown=shown)
        assert len(page.all('svg', 'crowded')) == crowded


def test_a_name_does_not_reach_beyond_the_image(page_of):
    left, right = ((x, 0, x + 9, 9) for x in (10, 90))
    shown = picture(*(Outline(box, 'long name', 'c0') for box in (left, right)))
    page = page_of('{{ ui.picture(shown, "names") }}', shown=shown)
    first, last = page.all('text')
    assert 'text-anchor' not in first and float(first['x']) == 50
    assert last['text-anchor'] == 'end' and float(last['x']) == 473.2


def test_an_east_asian_name_is_twice_as_wide(page_of):
    for name, ends in (('a' * 8, False), ('\N{HANGUL SYLLABLE HAN}' * 8, True)):
        shown = picture(Outline((80, 0, 89, 9), name, 'c0'))
        page = page_of('{{ ui.picture(shown, "name") }}', shown=shown)
        (text,) = page.all('text')
        assert ('text-anchor' in text) == ends


def test_a_picture_of_a_line_has_a_height(page_of):
    shown = make_picture(np.zeros((1, 9000, 3), np.uint8))
    page = page_of('{{ ui.picture(shown, "a line") }}', shown=shown)
    assert page.all('svg', 'picture')[0]['viewbox'] == '0 0 480.0 1.0'


def test_a_choice_is_offered_only_where_there_is_one(page_of):
    assert not page_of('{{ ui.choice(["cat"]) }}').all('label')
    page = page_of('{{ ui.choice(["cat", "<dog>"], 0.5, 0.25) }}')
    assert len(page.all('option')) == 3
    (slider,) = page.all('input')
    assert (slider['min'], slider['max'], slider['value']) == ('0.25', '1', '0.5')


def test_what_lies_beside_a_page_is_linked(page_of):
    files = [('pictures', 'test/1/painted/'), ('odd', 'a b?.html')]
    page = page_of('{{ ui.links(files) }}', files=files)
    assert page.links == ['test/1/painted/', 'a%20b%3F.html']
    assert not page_of('{{ ui.links(files) }}', files=[]).all('a')


def test_beyond_a_hundred_classes_colours_repeat():
    styles = class_styles([str(index) for index in range(101)])
    assert (styles['1'], styles['99'], styles['100']) == ('c1', 'c99', 'c0')


def test_contrast_is_that_of_wcag():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize('colour', [YELLOW, NAVY, LIGHT, DARK, (128, 128, 128)])
@pytest.mark.parametrize('ground', [LIGHT, DARK])
def test_every_colour_can_be_seen_on_both_grounds(colour, ground):
    assert contrast(readable(colour, ground), ground) >= 3


def test_a_colour_that_can_be_seen_stays():
    assert readable(NAVY, LIGHT) == NAVY


@pytest.mark.parametrize(
    ('name', 'html'),
    [
        ('rolled_in_scale', 'rolled_<wbr>in_<wbr>scale'),
        ('a__b-c.png', 'a__<wbr>b-<wbr>c.<wbr>png'),
        ('_plain_', '_<wbr>plain_'),
        ('', ''),
        ('<b>', '&lt;b&gt;'),
    ],
)
def test_names_break_at_their_joints(name, html):
    assert joints(name) == html


def test_numbers_and_texts():
    assert [clipped(text, 4) for text in ('abcd', 'abcde', '')] == ['abcd', 'abc…', '']
    assert base_name('/a/b.png') == 'b.png'
    assert extent(640, 480.0) == '640\N{MULTIPLICATION SIGN}480'
    assert [percent(share) for share in (0.034, 0.5)] == ['3.4%', '50%']
    assert interval({'low': None, 'high': 1}) == ''
    known = {'value': 0.5, 'low': 0.25, 'high': 0.75}
    assert with_interval(known) == '0.500 (0.250 to 0.750)'


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
