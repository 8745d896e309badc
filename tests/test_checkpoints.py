"""Reading checkpoints, and their facts without torch; nothing of them is executed."""

import functools
import http.server
import pickle
import threading
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.runner import checkpoint as stock

from custom_datasets.checkpoints import (
    UnavailableError,
    checkpoint_classes,
    classes_of,
    load_checkpoint,
)
from custom_datasets.errors import UserError


class Boom:
    def __reduce__(self):
        return (eval, ('1/0',))


def test_meta_beside_tensors_of_all_kinds(tmp_path):
    path = tmp_path / 'c.pth'
    meta = {'dataset_meta': {'classes': ('a', 'b')}, 'x': np.ones(3)}
    weights = OrderedDict(
        w=torch.nn.Parameter(torch.ones(2, 2)), h=torch.ones(1).half()
    )
    torch.save(
        {'meta': meta, 'state_dict': weights, 'rng': torch.get_rng_state()}, path
    )
    assert checkpoint_classes(str(path)) == ('a', 'b')


def test_nothing_is_executed(tmp_path):
    path = tmp_path / 'c.pth'
    meta = {'dataset_meta': {'classes': ['a']}, 'evil': Boom()}
    content = {'meta': meta}
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', pickle.dumps(content))
    assert checkpoint_classes(str(path)) == ('a',)


@pytest.mark.parametrize('content', [b'', b'no zip', pickle.dumps({'meta': {}})])
def test_another_format_says_nothing(tmp_path, content):
    path = tmp_path / 'c.pth'
    path.write_bytes(content)
    assert checkpoint_classes(str(path)) == ()


def test_a_zip_cut_inside_says_nothing(tmp_path):
    path = tmp_path / 'c.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', pickle.dumps({'a': [1, 2]})[:-4])
    assert checkpoint_classes(str(path)) == ()


@pytest.mark.parametrize(
    ('classes', 'expected'), [('RBC', ('RBC',)), (['a', 1], ('a', '1')), (3, None)]
)
def test_classes_are_one_name_or_several(classes, expected):
    assert classes_of({'meta': {'dataset_meta': {'classes': classes}}}) == expected
    assert classes_of({'meta': None}) is classes_of({}) is classes_of([]) is None


def test_bad_files_are_named(tmp_path):
    whole = tmp_path / 'whole.pth'
    torch.save({'w': torch.ones(99)}, whole)
    assert load_checkpoint(str(whole))['w'].sum() == 99
    with pytest.raises(UnavailableError, match=r'none\.pth: no such checkpoint$'):
        load_checkpoint(str(tmp_path / 'none.pth'))
    with pytest.raises(UserError, match=f'{tmp_path}: cannot be read \\(Is a dir'):
        load_checkpoint(str(tmp_path))
    for content in (b'', b'no zip', whole.read_bytes()[:900]):
        (tmp_path / 'cut.pth').write_bytes(content)
        with pytest.raises(UserError, match=r'cut\.pth: incomplete or damaged \(\w+'):
            load_checkpoint(str(tmp_path / 'cut.pth'))
    torch.save([1], tmp_path / 'list.pth')
    with pytest.raises(UserError, match=r'list\.pth: not a checkpoint, but a list'):
        load_checkpoint(str(tmp_path / 'list.pth'))


@pytest.fixture
def address(tmp_path, monkeypatch):
    """A folder behind an address, and an empty cache of PyTorch."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    (tmp_path / 'served').mkdir()
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / 'served')
    )
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_addresses_are_fetched_once_and_read_as_safely(address, tmp_path, monkeypatch):
    path = tmp_path / 'served' / 'c.pth'
    torch.save({'backbone.w': torch.ones(1), 'head.w': torch.ones(1)}, path)
    torch.save({'evil': Boom()}, tmp_path / 'served' / 'evil.pth')
    assert list(load_checkpoint(f'{address}/c.pth')) == ['backbone.w', 'head.w']
    path.unlink()
    models = {'small': f'{address}/c.pth', 'evil': f'{address}/evil.pth'}
    for kind in ('torchvision', 'external', 'mmcls'):
        monkeypatch.setattr(stock, f'get_{kind}_models', lambda: models)
    for scheme in ('torchvision', 'modelzoo', 'open-mmlab', 'openmmlab'):
        assert 'head.w' in load_checkpoint(f'{scheme}://small')
        with pytest.raises(UserError, match=r'evil\.pth: asks for builtins\.eval'):
            load_checkpoint(f'{scheme}://evil')
    assert list(load_checkpoint('mmcls://small')['state_dict']) == ['w']


@pytest.mark.parametrize(
    ('path', 'message'),
    [
        ('/c.pth', r'http://.*/c\.pth: cannot be fetched \(File not found'),
        ('torchvision://no', 'torchvision://no: mmengine has no model of this name'),
        ('s3://a/b', 's3://a/b: cannot be read from there; fetch it, and give a file'),
    ],
)
def test_what_cannot_be_fetched_gets_a_sentence(address, path, message):
    with pytest.raises(UserError, match=message):
        load_checkpoint(address + path if path.startswith('/') else path)
