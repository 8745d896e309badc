"""The frame of every page, and files that are written together or not at all."""

import os
import stat

import pytest

from custom_datasets.errors import UserError
from custom_datasets.files import write_files
from custom_datasets.pages.kit import Section, element, encode_page, frame_page, section
from tests.pages.parsing import Page


def test_the_navigation_leads_to_each_section():
    parts = [
        Section(name, name.title(), section(name, name, element('p', 'text')))
        for name in ('one', 'two')
    ]
    html = frame_page('A <b>', 'report', 'head', parts, [(1, 2, 3)], 1.5, '.x { }')
    page = Page(html)
    assert page.sections() == ['one', 'two']
    assert [link['href'] for link in page.all('a')] == ['#one', '#two']
    assert 'A <b>: report' in page.text
    assert page.all('body')[0]['style'] == '--frame: 1.50'
    assert '.c0 {' in html and '.x { }' in html
    assert not page.outside and not page.all('script')


def test_a_page_that_is_too_large_is_never_written():
    assert encode_page('é\udcff', 100) == 'é\\udcff'.encode()
    with pytest.raises(AssertionError):
        encode_page('a' * 100, 100)


def test_files_are_written_whole_and_readable_by_all(tmp_path):
    folder = tmp_path / 'a' / 'b'
    write_files(str(folder), {'one': b'1', 'two': b'2'})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        'one': b'1',
        'two': b'2',
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}


@pytest.mark.parametrize('fault', ['folder', 'disk'])
def test_nothing_is_replaced_where_one_file_cannot_be(tmp_path, monkeypatch, fault):
    (tmp_path / 'one').write_text('old')
    if fault == 'folder':
        (tmp_path / 'two').mkdir()
    else:
        (tmp_path / 'two').write_text('old')
        wanted = iter([os.chmod])

        def chmod(*arguments):
            change = next(wanted, None)
            if change is None:
                raise OSError(28, 'No space left on device')
            change(*arguments)

        monkeypatch.setattr(os, 'chmod', chmod)
    with pytest.raises(UserError, match=r'two: cannot be written \('):
        write_files(str(tmp_path), {'one': b'new', 'two': b'new'})
    assert (tmp_path / 'one').read_text() == 'old'
    assert sorted(os.listdir(tmp_path)) == ['one', 'two']
