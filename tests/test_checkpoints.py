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
    CheckpointFacts,
    UnavailableError,
    checkpoint_classes,
    classes_of,
    facts_of,
    load_checkpoint,
    require_finite,
    require_weights,
    weights_of,
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


def spoil(data, offset, *values):
    """Change a member's header, and its copy at the end of the zip."""
    for start in (data.index(b'PK\3\4') + 6, data.index(b'PK\1\2') + 8):
        data[start + offset : start + offset + len(values)] = bytes(values)


FRAME = b'\x80\x04\x95' + b'\xff' * 8 + b'N.'
SPOILT = {
    'deflate': (zipfile.ZIP_DEFLATED, lambda data: spoil(data, 0)),
    'bz2': (zipfile.ZIP_BZIP2, lambda data: spoil(data, 0)),
    'lzma': (zipfile.ZIP_LZMA, lambda data: spoil(data, 0)),
    'encrypted': (zipfile.ZIP_STORED, lambda data: spoil(data, 0, 1)),
    'method 99': (zipfile.ZIP_STORED, lambda data: spoil(data, 2, 99)),
}


@pytest.mark.parametrize('kind', SPOILT)
def test_a_spoilt_zip_says_nothing_and_is_named(kind, tmp_path):
    path = tmp_path / 'c.pth'
    method, change = SPOILT[kind]
    with zipfile.ZipFile(path, 'w', method) as archive:
        archive.writestr('a/data.pkl', pickle.dumps({'meta': ['x'] * 99}))
    data = bytearray(path.read_bytes())
    change(data)
    if method != zipfile.ZIP_STORED:
        data[44:60] = b'\xff' * 16
    path.write_bytes(data)
    assert checkpoint_classes(str(path)) == ()
    with pytest.raises(UserError, match=r'c\.pth: incomplete or damaged \(\w+'):
        load_checkpoint(str(path))


def test_a_pickle_of_impossible_size_says_nothing(tmp_path):
    path = tmp_path / 'c.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a/data.pkl', FRAME)
    assert checkpoint_classes(str(path)) == ()


@pytest.mark.parametrize('weights', [None, [1], {1: torch.ones(1)}])
def test_weights_without_names_are_no_checkpoint(weights, tmp_path):
    path = tmp_path / 'c.pth'
    torch.save({'state_dict': weights}, path)
    with pytest.raises(UserError, match='not a checkpoint: state_dict has no weights'):
        load_checkpoint(str(path))


@pytest.mark.parametrize('content', [{'state_dict': {'w': 1}}, {'w': 'x', 1: 2}])
def test_what_is_no_tensor_is_no_weight(content):
    with pytest.raises(UserError, match=r'c\.pth: .* it has no weights for w; give'):
        require_weights('c.pth', weights_of(content), {'w': torch.ones(1)})


@pytest.mark.parametrize(
    'meta',
    [[1], 'x', {'dataset_meta': 'x', 'epoch': {}, 'time': 1}, {'dataset_meta': [1]}],
)
def test_facts_of_another_form_are_none(meta):
    assert facts_of({'meta': meta}) == CheckpointFacts()


def test_facts_are_told():
    said = {'dataset_meta': {'classes': ['a'], 'palette': [(1, 2, 3)]}}
    facts = facts_of({'meta': {'epoch': 2, 'iter': 9, 'time': 't', **said}})
    assert facts == CheckpointFacts(2, 9, ('a',), [(1, 2, 3)], 't')


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_diverged_weights_are_named(value):
    large = torch.full((9,), 3e38)
    whole = {'w': large, 'h': large.clamp(max=6e4).half(), 'count': torch.tensor(3)}
    require_finite('c.pth', whole)
    bad = {**whole, 'a': torch.tensor([1, value]), 'b': torch.tensor(value)}
    message = r'^c\.pth: its training has diverged: a is NaN or infinite, and 1 more; '
    with pytest.raises(UserError, match=message):
        require_finite('c.pth', bad)


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
    torch.save({'w': torch.ones(99_999)}, tmp_path / 'long.pth')
    (tmp_path / 'cut.pth').write_bytes((tmp_path / 'long.pth').read_bytes()[:9000])
    with pytest.raises(UserError, match=r'cut\.pth: incomplete or damaged$'):
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
