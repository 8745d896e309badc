import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from custom_datasets.data import scan
from custom_datasets.data.cache import ResultCache, stamp_file
from custom_datasets.data.image_facts import read_image_facts
from custom_datasets.data.scan import IMAGES, Reader, scan_files, scan_images
from custom_datasets.errors import UserError


def answer_text(path):
    """Read a text; some words in it are orders."""
    with open(path, encoding='utf-8') as file:
        text = file.read()
    if text == 'die':
        os.kill(os.getpid(), signal.SIGSEGV)
    if text == 'exit':
        os._exit(3)
    if text == 'wait':
        time.sleep(60)
    if text == 'fail':
        return {'problem': 'fails'}
    if text == 'raise':
        raise ZeroDivisionError('nothing')
    if text == 'print':
        print('between', flush=True)
        os.write(1, b'the replies\n')
    return {'value': [text, os.getpid()]}


TEXTS = Reader('text', '1', answer_text, tuple)
FEW = Reader('text', '1', answer_text, tuple, worth_processes=100)


@pytest.fixture
def texts(tmp_path):
    def write(*contents):
        paths = []
        for number, content in enumerate(contents):
            paths.append(str(tmp_path / f'{number}.txt'))
            with open(paths[-1], 'w', encoding='utf-8') as file:
                file.write(content)
            os.utime(paths[-1], (1, 1))
        return paths

    return write


@pytest.fixture
def cache(tmp_path):
    with ResultCache(str(tmp_path / 'cache.sqlite')) as opened:
        yield opened


def write_image(path, value=100):
    pixels = np.full((48, 64, 3), value, np.uint8)
    pixels[::3] = 0
    cv2.imwrite(str(path), pixels)
    os.utime(path, (1, 1))
    return str(path)


def test_images_are_read_each_once_in_the_order_of_the_paths(tmp_path):
    paths = [write_image(tmp_path / f'{n}.png', n) for n in (5, 3, 9)]
    done = []
    found = scan_images([*paths, paths[0]], lambda *counts: done.append(counts))
    assert list(found) == paths
    assert found == {path: read_image_facts(path) for path in paths}
    assert done == [(1, 3), (2, 3), (3, 3)]


def test_nothing_to_read():
    done = []
    assert scan_images([], lambda *counts: done.append(counts)) == {}
    assert done == []


def test_processes_are_others_and_several(texts):
    paths = texts(*'abcdefgh' * 4)
    found = scan_files(TEXTS, paths, processes=2)
    assert [text for text, _ in found.values()] == list('abcdefgh' * 4)
    ids = {pid for _, pid in found.values()}
    assert os.getpid() not in ids
    assert len(ids) <= 2
    assert {pid for _, pid in scan_files(FEW, paths).values()} == {os.getpid()}


@pytest.mark.parametrize(
    ('content', 'problem'),
    [
        ('die', f'ends its process (signal {int(signal.SIGSEGV)})'),
        ('exit', 'ends its process (exit status 3)'),
        ('fail', 'fails'),
    ],
)
def test_a_file_that_fails_harms_no_other(texts, content, problem):
    paths = texts('a', content, 'b', content, 'c')
    found = scan_files(TEXTS, paths, processes=2)
    assert [isinstance(result, UserError) for result in found.values()] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert str(found[paths[1]]) == problem


def test_an_unforeseen_error_is_a_problem_of_its_file(texts):
    paths = texts('a', 'raise', 'b')
    found = scan_files(TEXTS, paths, processes=1)
    assert 'ends its process' in str(found[paths[1]])
    assert found[paths[2]][0] == 'b'


def test_what_a_library_prints_is_not_taken_for_an_answer(texts):
    found = scan_files(TEXTS, texts('a', 'print', 'b'), processes=1)
    assert [text for text, _ in found.values()] == ['a', 'print', 'b']


def test_a_function_that_no_process_can_import_is_called_here(texts):
    reader = Reader('text', '1', lambda path: {'value': [path, os.getpid()]}, tuple)
    [path] = texts('a')
    assert scan_files(reader, [path])[path] == (path, os.getpid())


def test_a_function_that_fails_here_is_a_problem_of_its_file():
    reader = Reader('text', '1', lambda path: {'value': 1 / 0}, str)
    assert str(scan_files(reader, [__file__])[__file__]).startswith('cannot be read')


def test_without_a_program_to_start_files_are_read_here(texts, monkeypatch):
    monkeypatch.setattr(scan.sys, 'executable', '/no/such/python')
    found = scan_files(TEXTS, texts('a', 'b'))
    assert {pid for _, pid in found.values()} == {os.getpid()}


def test_unchanged_files_are_not_read_again(texts, cache):
    paths = texts('a', 'b', 'fail')
    first = scan_files(TEXTS, paths, cache=cache)
    with open(paths[0], 'w') as file:
        file.write('c')
    os.utime(paths[0], (1, 1))  # Of equal size and time, it can't be told.
    done = []
    again = scan_files(TEXTS, paths, lambda *counts: done.append(counts), cache)
    assert [again[path] for path in paths[:2]] == [first[path] for path in paths[:2]]
    assert str(again[paths[2]]) == 'fails'
    assert done == [(2, 3), (3, 3)]
    os.utime(paths[0], (2, 2))
    assert scan_files(TEXTS, paths, cache=cache)[paths[0]][0] == 'c'


def test_another_version_reads_again(texts, cache):
    [path] = texts('a')
    first = scan_files(TEXTS, [path], cache=cache)
    other = Reader('text', '2', answer_text, tuple)
    assert scan_files(other, [path], cache=cache)[path] != first[path]


@pytest.mark.parametrize('value', ['{', '[]', '"text"', 'null', '[1, 2]'])
def test_a_result_that_is_no_result_is_read_again(tmp_path, cache, value):
    path = write_image(tmp_path / 'a.png')
    cache.put('image', IMAGES.version, stamp_file(path), value)
    cache.flush()
    assert scan_images([path], cache=cache)[path].size == (64, 48)


def test_facts_from_the_cache_are_equal(tmp_path, cache):
    paths = [write_image(tmp_path / f'{n}.png', n) for n in range(3)]
    (tmp_path / 'b.png').write_bytes(b'no image')
    os.utime(tmp_path / 'b.png', (1, 1))
    paths.append(str(tmp_path / 'b.png'))
    assert scan_images(paths, cache=cache) == scan_images(paths, cache=cache)


def test_files_that_cannot_be_read(tmp_path, cache):
    paths = [str(tmp_path / 'none.jpg'), str(tmp_path), 'a\0b.jpg']
    found = scan_images(paths, cache=cache)
    assert 'cannot be read (No such file' in found[paths[0]].problem
    assert found[paths[1]].problem == 'is not a file'
    assert 'cannot be read' in found[paths[2]].problem
    write_image(paths[0])
    assert not scan_images(paths, cache=cache)[paths[0]].problem


@pytest.mark.parametrize('name', ['ä ö.png', 'a\nb.png', b'\xff\xfe.png', '"\\.png'])
def test_any_name_is_read_and_kept(tmp_path, cache, name):
    path = os.path.join(tmp_path, os.fsdecode(name))
    with open(path, 'wb') as file:
        file.write(open(write_image(tmp_path / 'plain.png'), 'rb').read())
    os.utime(path, (1, 1))
    for _ in range(2):
        assert scan_images([path], cache=cache)[path].size == (64, 48)


def test_an_interrupted_scan_keeps_what_it_read_and_leaves_no_process(texts, tmp_path):
    paths = texts('a', 'wait')
    file = str(tmp_path / 'cache.sqlite')

    def interrupt(done, total):
        raise KeyboardInterrupt

    with ResultCache(file) as cache, pytest.raises(KeyboardInterrupt):
        scan_files(TEXTS, paths, interrupt, cache, processes=2)
    children = [
        pid
        for task in os.listdir('/proc/self/task')
        for pid in open(f'/proc/self/task/{task}/children').read().split()
        if b'serve(answer_text)' in open(f'/proc/{pid}/cmdline', 'rb').read()
    ]
    assert children == []
    with ResultCache(file) as cache:
        assert cache.get('text', '1', stamp_file(paths[0]))


def test_a_script_without_a_main_guard(tmp_path):
    path = write_image(tmp_path / 'a.png')
    script = tmp_path / 'script.py'
    script.write_text(
        'import sys\n'
        f'sys.path.insert(0, {os.getcwd()!r})\n'
        'from custom_datasets.data.scan import scan_images\n'
        f'[facts] = scan_images([{path!r}], processes=2).values()\n'
        'import json; print(json.dumps(facts.size))\n'
    )
    (tmp_path / 'elsewhere').mkdir()
    # It must not get in the way that a file here is called as a library is.
    (tmp_path / 'elsewhere' / 'numpy.py').write_text('')
    found = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path / 'elsewhere',
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(found.stdout) == [64, 48]
    assert found.stderr == ''


def test_damaged_images_print_nothing(tmp_path, capfd):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = cv2.imencode('.jpg', pixels)
    path = tmp_path / 'a.jpg'
    path.write_bytes(data[1].tobytes()[:900] + b'\xff\xd9')
    assert scan_images([str(path)])[str(path)].decodes == 'part'
    assert capfd.readouterr() == ('', '')
