import os

import pytest

from custom_datasets.data.origins import (
    MOST_LEVELS,
    find_sources,
    read_sources,
    render_sources,
)
from custom_datasets.errors import AnnotationError, UserError


def write(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'sources.txt').write_text(text)
    return str(folder / 'sources.txt')


def test_an_image_its_folder_and_the_rest(tmp_path):
    write(tmp_path, 'a/1.jpg\tone\na\tfolder\nb/c\tdeep\n')
    paths = ['a/1.jpg', 'a/2.jpg', 'a/x/3.jpg', 'b/c/4.jpg', 'b/5.jpg', 'a.jpg']
    found = find_sources([str(tmp_path / path) for path in paths])
    assert found == ['one', 'folder', 'folder', 'deep', None, None]


def test_paths_of_another_system(tmp_path):
    write(tmp_path, 'a\\1.jpg\tone\r\na\\b\ttwo\r\n')
    paths = [str(tmp_path / path) for path in ('a/1.jpg', 'a/b/2.jpg')]
    assert find_sources(paths) == ['one', 'two']


def test_a_dot_is_all_the_rest(tmp_path):
    write(tmp_path, './a/\tone\n.\trest\n')
    paths = [str(tmp_path / path) for path in ('a/1.jpg', 'b/1.jpg', '2.jpg')]
    assert find_sources(paths) == ['one', 'rest', 'rest']


def test_the_nearest_list_counts_and_none_is_far(tmp_path):
    write(tmp_path, '.\touter\n')
    write(tmp_path / 'set', 'a\tinner\n')
    deep = '/'.join('abcdef'[: MOST_LEVELS - 1])
    paths = ['set/a/1.jpg', 'set/b/1.jpg', f'{deep}/1.jpg', f'{deep}/x/1.jpg']
    found = find_sources([str(tmp_path / path) for path in paths])
    assert found == ['inner', None, 'outer', None]


def test_without_a_list(tmp_path):
    assert find_sources([str(tmp_path / 'a/1.jpg')]) == [None]


def test_behind_a_link(tmp_path):
    write(tmp_path / 'raw', 'images\tlab\n')
    (tmp_path / 'raw/images').mkdir()
    (tmp_path / 'out').mkdir()
    os.symlink(tmp_path / 'raw/images', tmp_path / 'out/images')
    assert find_sources([str(tmp_path / 'out/images/1.jpg')]) == ['lab']
    write(tmp_path / 'out', 'images\tother\n')
    assert find_sources([str(tmp_path / 'out/images/1.jpg')]) == ['other']


def test_relative_paths(tmp_path, monkeypatch):
    write(tmp_path / 'data', 'a.jpg\tone\n')
    monkeypatch.chdir(tmp_path)
    assert find_sources(['data/a.jpg']) == ['one']


def test_lines_that_say_nothing_are_all_named(tmp_path):
    path = write(tmp_path, 'a.jpg one\nb.jpg\t\nc.jpg\tx\nc.jpg\tx\nc.jpg\ty\n')
    with pytest.raises(AnnotationError) as error:
        read_sources(path)
    assert error.value.problems == (
        'line 1: no tab and source after the path',
        'line 2: no tab and source after the path',
        'line 5: c.jpg is of x already',
    )
    with pytest.raises(UserError, match='the list is empty'):
        read_sources(write(tmp_path, '\n'))


def test_what_is_written_is_read(tmp_path):
    sources = {'b/ü 1.jpg': 'a source', 'a.jpg': 'x'}
    text = render_sources(sources)
    assert text == 'a.jpg\tx\nb/ü 1.jpg\ta source\n'
    assert read_sources(write(tmp_path, text)) == sources
