"""Markup that can't be broken by what is in it."""

import pytest

from custom_datasets.pages.kit import (
    Html,
    breakable,
    clipped,
    element,
    extent,
    fragment,
)


def test_text_and_attributes_are_escaped():
    html = element('p', '<script>alert("x")</script>', title='"><b')
    assert html == (
        '<p title="&quot;&gt;&lt;b">'
        '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;</p>'
    )


def test_markup_is_not_escaped_again():
    assert element('p', [element('b', 'a & b')]) == '<p><b>a &amp; b</b></p>'


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
    assert fragment(breakable(name)) == html


def test_names_of_attributes():
    html = element('text', 1, class_='a', text_anchor='end', viewBox='0 0 1 1', id=None)
    assert html == '<text class="a" text-anchor="end" viewBox="0 0 1 1">1</text>'


def test_an_element_without_content_is_short_only_where_html_knows_it():
    assert element('rect', x=1.26, y=2.0) == '<rect x="1.3" y="2"/>'
    assert element('meta', name='viewport') == '<meta name="viewport">'
    assert element('td') == '<td></td>'


def test_nothing_is_nothing():
    assert fragment(None, [], 'a', Html('<br>')) == 'a<br>'


@pytest.mark.parametrize(
    ('text', 'short'), [('abcd', 'abcd'), ('abcde', 'abc…'), ('', '')]
)
def test_long_texts_are_cut(text, short):
    assert clipped(text, 4) == short


def test_width_and_height():
    assert extent(640, 480.0) == '640\N{MULTIPLICATION SIGN}480'
