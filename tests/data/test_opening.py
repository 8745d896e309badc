"""A pipe where a list or an annotation should be keeps nobody waiting."""

import os
import threading

import pytest

from custom_datasets.data.images import file_problem
from custom_datasets.data.lists import has_content
from custom_datasets.data.names import read_lines
from custom_datasets.data.numbers import read_labels
from custom_datasets.data.opening import load_json, read_text
from custom_datasets.data.voc import looks_like_voc, read_voc_file
from custom_datasets.errors import UserError

WAITS = 'a pipe or a device, not a file'


@pytest.fixture
def pipe(tmp_path):
    """A pipe whose other end is closed as soon as somebody reads, so nobody hangs."""
    path = str(tmp_path / 'pipe')
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: os.close(os.open(path, os.O_WRONLY)))
    writer.start()
    yield path
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer.join()
    os.close(reader)


@pytest.mark.parametrize('read', [read_lines, load_json])
def test_a_pipe_is_no_list_and_no_json(pipe, read):
    with pytest.raises(UserError) as raised:
        read(pipe)
    assert str(raised.value) == f'{pipe}: {WAITS}'


def test_a_pipe_is_no_file_of_labels(pipe):
    with pytest.raises(UserError, match=f'^{WAITS}$'):
        read_labels(pipe)


def test_a_pipe_is_no_xml_file(pipe):
    assert read_voc_file(pipe).broken == ((f'cannot be read ({WAITS})', None),)


def test_a_pipe_does_not_look_like_one(pipe):
    assert not looks_like_voc(pipe)


def test_a_pipe_is_no_image(pipe):
    problem = file_problem(pipe)
    assert problem is not None
    assert problem.message == f'cannot be read ({WAITS})'


def test_a_pipe_has_no_content(pipe):
    assert not has_content(pipe, '')


def test_a_text_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / 'list').write_bytes(b'\xef\xbb\xbfa\r\nb')
    assert read_text(str(tmp_path / 'list')) == 'a\r\nb'
