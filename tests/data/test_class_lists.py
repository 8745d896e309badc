"""Lists beside class folders: read if they are whole, and else not in silence."""

import pytest

from custom_datasets.data.convert import convert, read_source
from tests.data.drawing import draw, write

LISTS = {
    'train': 'cat/1.jpg\tcat\ndog/1.jpg\tdog\n',
    'val': 'cat/2.jpg\tcat\ndog/2.jpg\tdog\n',
    'test': 'cat/3.jpg\tcat\ndog/3.jpg\tdog\n',
}


@pytest.fixture
def listed(tmp_path):
    root = tmp_path / 'in'
    for name in ('cat', 'dog'):
        for number in (1, 2, 3):
            draw(root / f'{name}/{number}.jpg')
    for part, text in LISTS.items():
        write(root / f'{part}.txt', text)
    return root


def names(source):
    return {s: [record.name for record in found] for s, found in source.splits.items()}


def test_lists_are_read(listed, tmp_path):
    source = read_source(str(listed))
    assert names(source) == {
        'train': ['cat/1', 'dog/1'],
        'val': ['cat/2', 'dog/2'],
        'test': ['cat/3', 'dog/3'],
    }
    assert not source.notes
    convert(str(listed), str(tmp_path / 'out'))
    text = (tmp_path / 'out/val.txt').read_text()
    assert text == 'val/cat/2.jpg\tcat\nval/dog/2.jpg\tdog\n'


def test_lists_count_more_than_folders_of_parts(tmp_path):
    for name in ('train/cat/1.jpg', 'train/dog/1.jpg', 'valid/cat/2.jpg'):
        draw(tmp_path / name)
    write(tmp_path / 'train.txt', 'valid/cat/2.jpg\tcat\ntrain/dog/1.jpg\tdog')
    write(tmp_path / 'val.txt', 'train/cat/1.jpg\tcat')
    found = {'train': ['dog/1', 'cat/2'], 'val': ['cat/1']}
    assert names(read_source(str(tmp_path))) == found


def test_what_no_list_names_is_in_no_part(listed):
    write(listed / 'val.txt', 'cat/2.jpg\tcat\n')
    source = read_source(str(listed))
    assert names(source)['unlisted'] == ['dog/2']
    assert source.notes == ('1 image that no list names is in no part: dog/2.jpg',)


def test_an_empty_list_is_that_of_a_part_that_was_not_asked_for(listed):
    write(listed / 'test.txt', '')
    assert list(names(read_source(str(listed)))) == ['train', 'val', 'unlisted']


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('cat/9.jpg\tcat\n', 'train.txt: line 1: cat/9.jpg: no such image'),
        ('cat/2.jpg 0\n', 'train.txt: line 1: no tab and class after the path'),
    ],
)
def test_lists_of_another_set_are_not_read(listed, text, problem):
    for part in LISTS:
        write(listed / f'{part}.txt', text)
    source = read_source(str(listed))
    assert list(source.splits) == ['all']
    assert source.notes == (
        f'lists not read (train.txt, val.txt, test.txt): {problem}',
    )


@pytest.mark.parametrize(
    ('kept', 'problem'),
    [
        (('val', 'test'), 'train.txt and another one are needed'),
        (('train',), 'train.txt and another one are needed'),
    ],
)
def test_lists_that_do_not_make_a_split_are_not_read(listed, kept, problem):
    for part in {*LISTS} - {*kept}:
        (listed / f'{part}.txt').unlink()
    source = read_source(str(listed))
    assert list(source.splits) == ['all']
    names = [f'{part}.txt' for part in LISTS if (listed / f'{part}.txt').exists()]
    assert source.notes == (f'lists not read ({", ".join(names)}): {problem}',)
