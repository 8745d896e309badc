import json
import os

import pytest

from custom_datasets.data.image_kinds import IMAGE_SUFFIXES
from custom_datasets.data.opening import load_json
from custom_datasets.data.tree import FileIndex, walk
from custom_datasets.errors import UserError


@pytest.fixture
def index(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        index = FileIndex(str(tmp_path), IMAGE_SUFFIXES)
        return lambda name: [f.removeprefix(f'{tmp_path}/') for f in index.find(name)]

    return make


@pytest.mark.parametrize(('levels', 'is_deep'), [(100, False), (101, True)])
def test_brackets_in_text_hide_no_depth(tmp_path, levels, is_deep):
    start, end = r'["\"]\"",', r',"\"[\""]'
    text = f'{(levels - 1) * start}[0]{(levels - 1) * end}'
    (tmp_path / 'a.json').write_text(text)
    if not is_deep:
        assert load_json(str(tmp_path / 'a.json')) == json.loads(text)
        return
    with pytest.raises(UserError, match='lists in lists, too deep'):
        load_json(str(tmp_path / 'a.json'))


@pytest.mark.parametrize(
    'name',
    ['a.jpg', 'a.JPG', 'a.png', 'a.Jpeg', 'a.bmp', 'a.TIF', 'a.webp', 'a.PPM', 'a.gif'],
)
def test_finds_any_suffix(index, name):
    assert index(name, 'a.txt', 'ab.jpg')('a') == [name]


def test_finds_odd_names_and_nothing(index):
    find = index('x/y/a.png', 'Größe 1.v2.png', 'b.png', 'b.jpg', 'c.txt', '._b.png')
    assert find('x/y/a') == ['x/y/a.png']
    assert find('Größe 1.v2') == ['Größe 1.v2.png']
    assert find('b') == ['b.jpg', 'b.png']
    assert find('c') == find('no/folder/a') == find('') == []


def test_a_sub_folder_may_have_what_the_folder_has_not(index):
    find = index('x/a.png', 'y/a.png', 'y/b.JPG', 'y/z/c.png', 'd.png', 'x/d.png')
    assert find('a') == ['x/a.png', 'y/a.png']
    assert find('b') == ['y/b.JPG']
    assert find('c') == find('y/c') == ['y/z/c.png']
    assert find('d') == ['d.png']


def test_relative_and_empty_roots(tmp_path, monkeypatch):
    (tmp_path / 'a.png').touch()
    monkeypatch.chdir(tmp_path)
    assert FileIndex('', IMAGE_SUFFIXES).find('a') == ['a.png']
    assert FileIndex('.', IMAGE_SUFFIXES).find('a') == ['./a.png']
    assert FileIndex('', IMAGE_SUFFIXES).names() == ['a']


def test_folders_and_pipes_are_no_files_and_a_dead_link_is(index, tmp_path):
    find = index('a.png/b.png')
    os.mkfifo(tmp_path / 'c.png')
    (tmp_path / 'd.png').symlink_to('nowhere')
    assert find('a') == find('c') == []
    assert find('d') == ['d.png']
    assert sorted(walk(str(tmp_path))) == ['a.png/b.png', 'd.png']


def test_folders_without_end(tmp_path):
    (tmp_path / ('a/' * 101)).mkdir(parents=True)
    with pytest.raises(UserError, match='more than 100 folders in each other'):
        list(walk(str(tmp_path)))
