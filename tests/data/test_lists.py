"""All lists are replaced, or none."""

import os
from pathlib import Path

import pytest

from custom_datasets.data.lists import link_folders, write_lists
from custom_datasets.errors import UserError

OLD = {'train.txt': 'a\n', 'fold_0/train.txt': 'b\n', 'fold_1/train.txt': 'c\n'}
NEW = {'train.txt': 'x\n', 'fold_0/train.txt': 'y\n', 'fold_1/train.txt': None}


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob('*')
        if path.is_file()
    }


def test_lists_are_written_replaced_and_removed(tmp_path):
    folder = tmp_path / 'deep/lists'
    write_lists(str(folder), OLD)
    assert contents(folder) == OLD
    (folder / 'mine.txt').write_text('mine')
    write_lists(str(folder), NEW, overwrite=True)
    assert contents(folder) == {
        'train.txt': 'x\n',
        'fold_0/train.txt': 'y\n',
        'mine.txt': 'mine',
    }
    assert sorted(os.listdir(folder)) == ['fold_0', 'mine.txt', 'train.txt']


def test_equal_lists_are_left_as_they_are(tmp_path):
    write_lists(str(tmp_path), OLD)
    os.utime(tmp_path / 'train.txt', (5, 5))
    write_lists(str(tmp_path), OLD)
    (tmp_path / 'fold_0/train.txt').unlink()
    write_lists(str(tmp_path), OLD)
    assert (tmp_path / 'train.txt').stat().st_mtime == 5
    assert contents(tmp_path) == OLD


def test_other_lists_stay_unless_asked(tmp_path):
    write_lists(str(tmp_path), OLD)
    with pytest.raises(UserError, match='another split exists'):
        write_lists(str(tmp_path), NEW)
    with pytest.raises(UserError, match='is what is split'):
        protected = [f'{tmp_path}/fold_0/../train.txt']
        write_lists(str(tmp_path), NEW, overwrite=True, protected=protected)
    assert contents(tmp_path) == OLD


@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError(28, 'No space left')])
@pytest.mark.parametrize('fail_at', range(1, 8))
def test_an_interruption_leaves_the_old_lists(tmp_path, monkeypatch, fail_at, error):
    write_lists(str(tmp_path), OLD)
    calls = []
    monkeypatch.setattr(os, 'replace', failing(os.replace, calls, fail_at, error))
    expected = KeyboardInterrupt if error is KeyboardInterrupt else UserError
    with pytest.raises(expected):
        write_lists(str(tmp_path), NEW, overwrite=True)
    assert contents(tmp_path) == OLD
    assert sorted(os.listdir(tmp_path)) == ['fold_0', 'fold_1', 'train.txt']


def failing(function, calls, fail_at, error):
    def wrapped(*args):
        calls.append(function)
        if len(calls) == fail_at:
            raise error
        return function(*args)

    return wrapped


def test_an_interruption_leaves_no_new_lists(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(os, 'replace', failing(os.replace, calls, 2, KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_lists(str(tmp_path / 'lists'), OLD)
    assert not (tmp_path / 'lists').exists()


def test_a_file_in_the_way_of_the_folder(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match='file/lists: cannot be written'):
        write_lists(str(tmp_path / 'file/lists'), OLD)


def test_links(tmp_path):
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
    out = tmp_path / 'out'
    targets = {'one': str(tmp_path / 'a'), 'two': str(tmp_path / 'b')}
    link_folders(str(out), targets)
    link_folders(str(out), targets)
    assert Path(os.path.realpath(out / 'two')) == tmp_path / 'b'
    with pytest.raises(UserError, match='two: already exists and is not a link to'):
        link_folders(str(out), {'three': targets['one'], 'two': targets['one']})
    assert sorted(os.listdir(out)) == ['one', 'two']
