import os
import sqlite3
import stat
import time

import pytest

from custom_datasets.data import cache as module
from custom_datasets.data.cache import ResultCache, Stamp, cache_file, stamp_file

STAMP = Stamp('/data/a.jpg', 5, 7, True)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'folder' / 'cache.sqlite')


def test_results_outlive_the_process(path):
    with ResultCache(path) as cache:
        cache.put('kind', '1', STAMP, 'text')
    with ResultCache(path) as cache:
        assert cache.get('kind', '1', STAMP) == 'text'
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


@pytest.mark.parametrize(
    ('kind', 'version', 'stamp'),
    [
        ('other', '1', STAMP),
        ('kind', '2', STAMP),
        ('kind', '1', STAMP._replace(path='/data/b.jpg')),
        ('kind', '1', STAMP._replace(size=6)),
        ('kind', '1', STAMP._replace(changed=8)),
    ],
)
def test_anything_else_is_not_known(path, kind, version, stamp):
    with ResultCache(path) as cache:
        cache.put('kind', '1', STAMP, 'text')
        cache.flush()
        assert cache.get(kind, version, stamp) is None


def test_a_newer_result_replaces_the_older(path):
    with ResultCache(path) as cache:
        for value in ('old', 'new'):
            cache.put('kind', '1', STAMP, value)
            cache.flush()
        assert cache.get('kind', '1', STAMP) == 'new'
    assert count(path) == 1


def test_a_file_that_has_only_just_changed_is_not_kept(path, tmp_path):
    file = tmp_path / 'a'
    file.write_text('a')
    with ResultCache(path) as cache:
        cache.put('kind', '1', stamp_file(str(file))._replace(settled=False), 'text')
        cache.flush()
        assert count(path) == 0
        os.utime(file, (1, 1))
        cache.put('kind', '1', stamp_file(str(file)), 'text')
    assert count(path) == 1
    assert not stamp_file(str(touched(file, time.time()))).settled


def test_stamps(tmp_path, monkeypatch):
    file = touched(tmp_path / 'a', 1)
    monkeypatch.chdir(tmp_path)
    assert stamp_file('a') == Stamp(str(file), 1, 10**9, True)
    with pytest.raises(OSError):
        stamp_file('b')


def test_the_oldest_go(path, monkeypatch):
    monkeypatch.setattr(module, 'MAX_RESULTS', 3)
    stamps = [STAMP._replace(path=f'/{number}') for number in range(5)]
    with ResultCache(path) as cache:
        for number in (0, 1, 2, 0, 3, 4):
            cache.put('kind', '1', stamps[number], str(number))
            cache.flush()
        known = [cache.get('kind', '1', stamp) for stamp in stamps]
    assert known == ['0', None, None, '3', '4']


def test_many_results_are_written_as_they_come(path):
    with ResultCache(path) as cache:
        for number in range(1500):
            cache.put('kind', '1', STAMP._replace(path=str(number)), 'text')
        assert count(path) == 1000
    assert count(path) == 1500


@pytest.mark.parametrize('content', [b'not a database' * 100, b'SQLite format 3\0garb'])
def test_a_broken_file_is_replaced(path, content):
    os.makedirs(os.path.dirname(path))
    with open(path, 'wb') as file:
        file.write(content)
    with ResultCache(path) as cache:
        cache.put('kind', '1', STAMP, 'text')
    with ResultCache(path) as cache:
        assert cache.get('kind', '1', STAMP) == 'text'


def test_a_file_that_breaks_while_it_is_open_costs_its_results_only(path):
    stamps = [STAMP._replace(path=str(number)) for number in range(2000)]
    with ResultCache(path) as cache:
        for stamp in stamps:
            cache.put('kind', '1', stamp, 'text' * 100)
    with open(path, 'r+b') as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(8192)
        file.write(b'\xff' * (size - 8192))
    with ResultCache(path) as cache:
        found = [cache.get('kind', '1', stamp) for stamp in stamps]
        for stamp in stamps:
            cache.put('kind', '1', stamp, 'again')
    assert None in found
    with ResultCache(path) as cache:
        cache.put('kind', '1', STAMP, 'text')
    with ResultCache(path) as cache:
        assert cache.get('kind', '1', STAMP) == 'text'


@pytest.mark.parametrize('place', ['/dev/null/cache.sqlite', '/proc/cache.sqlite'])
def test_where_nothing_can_be_written_nothing_is_kept(place):
    with ResultCache(place) as cache:
        cache.put('kind', '1', STAMP, 'text')
        assert cache.get('kind', '1', STAMP) is None


def test_a_folder_in_the_way(tmp_path):
    with ResultCache(str(tmp_path)) as cache:
        cache.put('kind', '1', STAMP, 'text')
        cache.flush()
        assert cache.get('kind', '1', STAMP) is None
    assert tmp_path.is_dir()


def test_a_locked_file_is_done_without(path, monkeypatch):
    monkeypatch.setattr(module, '_WAIT_SECONDS', 0.05)
    with ResultCache(path) as cache:
        cache.put('kind', '1', STAMP, 'text')
    other = sqlite3.connect(path)
    other.execute('BEGIN EXCLUSIVE')
    with ResultCache(path) as cache:
        assert cache.get('kind', '1', STAMP) is None
        cache.put('kind', '1', STAMP, 'other')
    other.rollback()
    other.close()
    with ResultCache(path) as cache:
        assert cache.get('kind', '1', STAMP) == 'text'


def test_two_at_a_time(path):
    with ResultCache(path) as one, ResultCache(path) as other:
        one.put('kind', '1', STAMP, 'one')
        one.flush()
        assert other.get('kind', '1', STAMP) == 'one'
        other.put('kind', '1', STAMP._replace(size=6), 'other')
        other.flush()
        assert one.get('kind', '1', STAMP) is None


def test_any_path_can_be_kept(path):
    stamps = [STAMP._replace(path=name) for name in ('/\udcff', '/ä\n', '/\\udcff')]
    with ResultCache(path) as cache:
        for stamp in stamps[:2]:
            cache.put(
                'kind', '1', stamp, stamp.path.encode('utf-8', 'replace').decode()
            )
        cache.flush()
        assert all(cache.get('kind', '1', stamp) for stamp in stamps[:2])


@pytest.mark.parametrize('folder', ['', 'relative', None])
def test_the_users_file_is_in_the_home_by_default(monkeypatch, tmp_path, folder):
    monkeypatch.setenv('HOME', str(tmp_path))
    if folder is None:
        monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    else:
        monkeypatch.setenv('XDG_CACHE_HOME', folder)
    assert cache_file().startswith(str(tmp_path / '.cache' / 'mm-custom-datasets'))


def test_the_users_file_is_where_xdg_says(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    with ResultCache() as cache:
        cache.put('kind', '1', STAMP, 'text')
    assert os.listdir(tmp_path) == ['mm-custom-datasets']


def count(path):
    database = sqlite3.connect(path)
    [number] = database.execute('SELECT COUNT(*) FROM results').fetchone()
    database.close()
    return number


def touched(file, when):
    file.write_text('a')
    os.utime(file, (when, when))
    return file
