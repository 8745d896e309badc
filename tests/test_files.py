"""What is written appears whole, or not at all."""

import os
import resource
import signal
import stat
import subprocess
import sys

import cv2
import numpy as np
import pytest

from custom_datasets.errors import UserError
from custom_datasets.files import (
    MARK,
    append_line,
    clear_abandoned,
    new_folder,
    read_mark,
    replace_file,
    replace_texts,
    short_path,
    write_files,
    write_image,
    write_json,
    write_text,
)


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def make(path, text, overwrite=False):
    with new_folder(str(path), overwrite) as work:
        write_text(f'{work}/x/a.txt', text)


@pytest.fixture(params=['made', 'foreign'])
def full(request, tmp_path):
    """A folder with a file in it, made here or by someone else."""
    path = tmp_path / 'out'
    if request.param == 'made':
        make(path, 'old')
    else:
        write_text(str(path / 'x/a.txt'), 'old')
    return path


def test_new_folder_appears_whole(tmp_path):
    with new_folder(str(tmp_path / 'deep/out')) as work:
        write_text(f'{work}/a.txt', 'ü\n')
        assert not (tmp_path / 'deep/out').exists()
    assert tree(tmp_path) == {f'deep/out/{MARK}': b'', 'deep/out/a.txt': 'ü\n'.encode()}
    mode = stat.S_IMODE((tmp_path / 'deep/out').stat().st_mode)
    assert mode == 0o755


@pytest.mark.parametrize('source', ['', '/data/größe 1', os.fsdecode(b'/caf\xe9')])
def test_a_new_folder_says_what_it_is_made_of(tmp_path, source):
    assert read_mark(str(tmp_path / 'out')) is None
    with new_folder(str(tmp_path / 'out'), made_of=source):
        pass
    assert read_mark(str(tmp_path / 'out')) == source


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / 'out').mkdir()
    make(tmp_path / 'out', 'new')
    assert tree(tmp_path)['out/x/a.txt'] == b'new'
    assert os.listdir(tmp_path) == ['out']


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize('overwrite', [False, True])
def test_an_interruption_leaves_what_was_there(tmp_path, error, overwrite):
    if overwrite:
        make(tmp_path / 'out', 'old')
    before = tree(tmp_path)
    with pytest.raises(error):
        with new_folder(str(tmp_path / 'out'), overwrite) as work:
            write_text(f'{work}/x/a.txt', 'new')
            raise error
    assert tree(tmp_path) == before
    assert os.listdir(tmp_path) == ['out'] * overwrite


def test_an_interruption_of_the_swap_puts_the_old_folder_back(tmp_path, monkeypatch):
    make(tmp_path / 'out', 'old')
    before = tree(tmp_path)
    replace, failed = os.replace, []

    def fail_once(source, target):
        if target == str(tmp_path / 'out') and not failed:
            failed.append(source)
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, 'replace', fail_once)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / 'out', 'new', overwrite=True)
    assert failed
    assert tree(tmp_path) == before
    assert os.listdir(tmp_path) == ['out']


KILLED = """
import os, sys
from custom_datasets.files import new_folder
with new_folder(sys.argv[1], overwrite=True) as work:
    open(os.path.join(work, 'half.txt'), 'w').close()
    replace = os.replace
    def once(source, target):
        replace(source, target)
        os.kill(os.getpid(), 9)
    os.replace = once
    if sys.argv[2] == 'filling':
        os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize('step', ['filling', 'replacing'])
def test_what_a_killed_process_left_is_cleared(tmp_path, step):
    out = tmp_path / 'out'
    make(out, 'old')
    killed = subprocess.run([sys.executable, '-c', KILLED, str(out), step])
    assert killed.returncode == -9
    assert len(os.listdir(tmp_path)) == 2
    (left,) = clear_abandoned(str(out))
    assert left.startswith('.out.')
    assert os.listdir(tmp_path) == ['out']
    assert tree(out)['x/a.txt'] == b'old'


@pytest.mark.parametrize('host', ['another machine\n', None])
def test_what_may_be_in_use_or_the_users_stays(tmp_path, host):
    theirs = tmp_path / '.out.12345678'
    theirs.mkdir()
    if host:
        (theirs / '.running').write_text(host)
    with new_folder(str(tmp_path / 'out')) as work:
        assert clear_abandoned(str(tmp_path / 'out')) == []
        assert theirs.exists()
        assert os.path.exists(work)


def test_a_full_folder_is_not_replaced_unasked(full):
    with pytest.raises(UserError, match='already exists; remove it or give'):
        make(full, 'new')
    assert tree(full)['x/a.txt'] == b'old'


def test_overwrite_replaces_only_what_was_made_here(full):
    if MARK in tree(full):
        make(full, 'new', overwrite=True)
        assert tree(full)['x/a.txt'] == b'new'
    else:
        with pytest.raises(UserError, match='not made by this command'):
            make(full, 'new', overwrite=True)
        assert tree(full) == {'x/a.txt': b'old'}
    assert os.listdir(full.parent) == ['out']


@pytest.mark.parametrize('name', ['', 'missing/../here'])
def test_no_way_of_writing_a_name_loses_a_folder(name, tmp_path, monkeypatch):
    here = tmp_path / 'here'
    here.mkdir()
    (here / 'thesis.txt').write_text('mine')
    monkeypatch.chdir(here if name == '' else tmp_path)
    with pytest.raises(UserError, match=r'no folder is named|already exists'):
        make(name, 'new')
    assert (here / 'thesis.txt').read_text() == 'mine'
    assert [path.name for path in tmp_path.iterdir()] == ['here']


def test_what_came_into_being_meanwhile_is_kept(tmp_path):
    out = tmp_path / 'out'
    with (
        pytest.raises(UserError, match='already exists'),
        new_folder(str(out)) as work,
    ):
        write_text(f'{work}/made', 'new')
        out.mkdir()
        (out / 'thesis.txt').write_text('mine')
    assert [path.name for path in out.iterdir()] == ['thesis.txt']
    assert [path.name for path in tmp_path.iterdir()] == ['out']


def test_overwrite_goes_through_a_link(tmp_path):
    make(tmp_path / 'disk/out', 'old')
    (tmp_path / 'link').symlink_to(tmp_path / 'disk/out')
    make(tmp_path / 'link', 'new', overwrite=True)
    assert (tmp_path / 'link').is_symlink()
    assert tree(tmp_path / 'disk/out')['x/a.txt'] == b'new'
    assert os.listdir(tmp_path / 'disk') == ['out']


def test_a_file_in_the_way(tmp_path):
    (tmp_path / 'out').write_text('mine')
    with pytest.raises(UserError, match='a file is in the way'):
        make(tmp_path / 'out', 'new', overwrite=True)
    with pytest.raises(UserError, match='cannot be written'):
        make(tmp_path / 'out/inside', 'new')
    assert (tmp_path / 'out').read_text() == 'mine'


def test_an_error_of_the_disk_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r'out: cannot be written .*No space left'):
        with new_folder(str(tmp_path / 'out')):
            raise OSError(28, 'No space left on device')
    assert os.listdir(tmp_path) == []


def test_write_image(tmp_path):
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    write_image(str(tmp_path / 'deep/ü.png'), image)
    assert np.array_equal(cv2.imread(str(tmp_path / 'deep/ü.png')), image)
    (tmp_path / 'b.png').mkdir()
    with pytest.raises(UserError, match=r'b\.png: cannot be written'):
        write_image(str(tmp_path / 'b.png'), image)


def test_an_image_of_no_format_and_one_that_does_not_fit_leave_nothing(
    tmp_path, monkeypatch
):
    image = np.zeros((2, 2, 3), np.uint8)
    for name in ('a.xyz', 'a'):
        with pytest.raises(UserError, match=rf'{name}: no image can be written as'):
            write_image(str(tmp_path / name), image)
    write_image(str(tmp_path / 'b.png'), image)
    before = tree(tmp_path)

    def full(source, target):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('os.replace', full)
    with pytest.raises(UserError, match=r'b\.png: cannot be written \(No space'):
        write_image(str(tmp_path / 'b.png'), image + 1)
    assert tree(tmp_path) == before


def test_a_line_is_appended_whole(tmp_path):
    path = tmp_path / 'deep/log'
    for line in (b'one\n', b'two\n'):
        append_line(str(path), line)
    assert path.read_bytes() == b'one\ntwo\n'
    for half in (b'thr', b'x' * 9):
        path.write_bytes(b'one\ntwo\n' + half)
        append_line(str(path), b'four\n')
        assert path.read_bytes() == b'one\ntwo\nfour\n'
    path.write_bytes(b'half of the first')
    append_line(str(path), b'one\n')
    assert path.read_bytes() == b'one\n'
    with pytest.raises(UserError, match='deep: cannot be written'):
        append_line(str(path.parent), b'one\n')


def test_a_line_that_does_not_fit_leaves_nothing(tmp_path):
    """A limit on a file's size stops a write half-way, as a full disk does."""
    path = tmp_path / 'log'
    path.write_bytes(b'one\n')
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    action = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, old[1]))
    try:
        with pytest.raises(UserError, match=r'log: cannot be written \(File too large'):
            append_line(str(path), b'two three\n')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, action)
    assert path.read_bytes() == b'one\n'


def test_a_file_that_is_replaced_is_the_old_one_until_the_end(tmp_path):
    path = tmp_path / 'deep/ü.bin'
    with replace_file(str(path)) as file:
        file.write(b'old')
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with pytest.raises(KeyboardInterrupt):
        with replace_file(str(path)) as file:
            file.write(b'new')
            file.flush()
            assert path.read_bytes() == b'old'
            raise KeyboardInterrupt
    assert tree(tmp_path) == {'deep/ü.bin': b'old'}


def test_a_name_may_be_as_long_as_the_file_system_has_it(tmp_path):
    name = 255 * 'a'
    write_text(str(tmp_path / name), 'x')
    write_files(str(tmp_path), {name: b'y'})
    assert tree(tmp_path) == {name: b'y'}


@pytest.mark.parametrize('broken', ['b', 'z/d.txt'])
def test_files_are_written_all_or_none(tmp_path, broken):
    write_files(str(tmp_path / 'new'), {'a': b'1', 'z': b'2'})
    (tmp_path / 'new/b').mkdir()
    before = tree(tmp_path)
    with pytest.raises(UserError, match=f'{broken}: cannot be written'):
        write_files(str(tmp_path / 'new'), {'a': b'3', broken: b'4'})
    assert tree(tmp_path) == before == {'new/a': b'1', 'new/z': b'2'}


def test_json_has_no_nan_and_any_path(tmp_path):
    path = tmp_path / 'deep/a.json'
    write_json(str(path), {'ü': [os.fsdecode(b'/caf\xe9')]})
    assert path.read_bytes() == '{\n "ü": [\n  "/caf\\udce9"\n ]\n}\n'.encode()
    with pytest.raises(ValueError):
        write_json(str(path), {'a': float('nan')})
    assert b'udce9' in path.read_bytes()


def test_texts_are_replaced_together(tmp_path, monkeypatch):
    folder = tmp_path / 'lists'
    replace_texts(str(folder), {'a': '1', 'fold_0/b': '2'})
    replace_texts(str(folder), {'a': '3', 'fold_0/b': None})
    assert tree(tmp_path) == {'lists/a': b'3'}
    assert os.listdir(folder) == ['a']
    replace = os.replace

    def fail(source, target):
        if target == str(folder / 'c'):
            raise OSError(28, 'No space left on device')
        replace(source, target)

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(UserError, match=r'lists: cannot be written .*No space left'):
        replace_texts(str(folder), {'a': '4', 'c': '5'})
    assert tree(tmp_path) == {'lists/a': b'3'}


def test_paths_below_are_written_short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short_path(f'{tmp_path}/configs/a.py') == os.path.join('configs', 'a.py')
    assert short_path(f'{tmp_path}2/a.py') == f'{tmp_path}2/a.py'
