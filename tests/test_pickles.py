"""Files are read with what they need, and whatever asks for more is refused."""

import codecs
import collections
import copy
import io
import os
import pickle
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleLR, OneCycleParamScheduler

from custom_datasets.errors import UserError
from custom_datasets.pickles import read_pickle, read_torch, trusting

RAN = 'ran'


class Asks:
    """Pickles as a call."""

    def __init__(self, function, *arguments, state=None):
        self.parts = function, arguments, state

    def __reduce__(self):
        return self.parts if self.parts[2] is not None else self.parts[:2]


def save_zip(content, path):
    torch.save(content, path)


def save_old(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_plain(content, path):
    # As mmengine writes its own.
    path.write_bytes(pickle.dumps(content, protocol=2))


def save_tensor(content, path):
    """Hide it in the bytes that a tensor in a plain pickle is."""
    inner = io.BytesIO()
    torch.save(content, inner, _use_new_zipfile_serialization=False)
    save_plain(Asks(torch.storage._load_from_bytes, inner.getvalue()), path)


FORMATS = {
    'zip': (save_zip, read_torch),
    'old': (save_old, read_torch),
    'pkl': (save_plain, read_pickle),
    'tensor': (save_tensor, read_pickle),
}


@pytest.fixture(params=FORMATS)
def kept(request, tmp_path):
    """Write something and read it."""
    save, read = FORMATS[request.param]

    def through(content):
        path = tmp_path / 'file'
        save(content, path)
        return read(str(path))

    return through


def test_what_checkpoints_hold_comes_back(kept):
    history = HistoryBuffer([1.5, 2.5], [1, 1])
    content = {
        'float': torch.arange(6.0).reshape(2, 3)[:, 1:],
        'bfloat': torch.tensor([1.5]).bfloat16(),
        'bool': torch.tensor([True]),
        'parameter': torch.nn.Parameter(torch.ones(1)),
        'array': np.arange(3),
        'scalar': np.float32(2.5),
        'flag': np.bool_(True),
        'grid': np.asfortranarray([[1j, 2], [3, 4]]),
        'words': collections.OrderedDict(a=1),
        'counts': collections.Counter([3, 3]),
        'lists': collections.defaultdict(list, a=[1]),
        'sets': {1, 2},
        'bytes': b'\xff\x00',
        'nothing': b'',
        'type': torch.float16,
        'device': torch.device('cpu'),
        'size': torch.Size([2]),
        'history': history,
    }
    read = kept(content)
    history = read.pop('history'), content.pop('history')
    assert type(history[0]) is HistoryBuffer
    assert history[0].mean() == history[0].statistics('mean') == 2
    assert history[0].max_length == history[1].max_length
    assert pickle.loads(pickle.dumps(copy.deepcopy(history[0]))).min() == 1.5
    for key, value in content.items():
        assert type(read[key]) is type(value), key
        assert np.all(np.asarray(read.pop(key) == value)), key
    assert not read


@pytest.mark.parametrize('strategy', ['cos', 'linear'])
def test_a_scheduler_that_keeps_a_function_goes_on(kept, strategy):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1)
    settings = {'eta_max': 1.0, 'total_steps': 9, 'anneal_strategy': strategy}
    state = OneCycleLR(optimizer, **settings).state_dict()
    read = kept(state)
    assert read['anneal_func'] is state['anneal_func']


ARBITRARY = {
    'posix.system': Asks(os.system, f'touch {RAN}'),
    r'builtins\.eval': Asks(eval, f'open("{RAN}", "w")'),
    'builtins.exec': Asks(exec, f'open("{RAN}", "w")'),
    'functools.partial': Asks(partial, print),
    'builtins.getattr': Asks(getattr, HistoryBuffer, '__init__'),
    'builtins\\.getattr': Asks(getattr, OneCycleParamScheduler, 'step'),
    'numpy.dtype U2': np.array(['a', 'bc']),
    'numpy.dtype O8': np.array([None]),
    r'pathlib(\._local)?\.PosixPath': Path('a'),
    '_codecs.encode to zip': Asks(codecs.encode, 'a', 'zip'),
}


@pytest.mark.parametrize('name', ARBITRARY)
def test_nothing_else_is_called(kept, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf'file: asks for {name}, and .* --trust'):
        kept({'state_dict': {}, 'x': ARBITRARY[name]})
    assert not (tmp_path / RAN).exists()


COUNTER = b'ccollections\nCounter\n'
HISTORY = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'
SETTING = b'N}U\x06updateK\x01s\x86b'
"""Sets an attribute of what was named before."""


@pytest.mark.parametrize('named', [COUNTER, HISTORY])
def test_what_a_file_gets_cannot_be_changed(named, tmp_path, monkeypatch):
    before = collections.Counter.update, HistoryBuffer.update
    # To be put back where the test fails: all that runs behind it counts.
    monkeypatch.setattr(collections.Counter, 'update', before[0])
    monkeypatch.setattr(HistoryBuffer, 'update', before[1])
    (tmp_path / 'file').write_bytes(b'\x80\x02' + named + SETTING + b'.')
    with pytest.raises(TypeError):
        read_pickle(str(tmp_path / 'file'))
    assert (collections.Counter.update, HistoryBuffer.update) == before


@pytest.mark.parametrize('code', np.typecodes['AllInteger'] + np.typecodes['AllFloat'])
def test_numbers_are_not_turned_into_addresses(code, tmp_path):
    """They crash whoever reads the field, or worse."""
    field = {'x': (np.dtype(np.int8), 0)}
    state = (3, '|', None, ('x',), field, 8, 1, 0)
    kind = np.dtype(code)
    name = f'{kind.kind}{kind.itemsize}'
    path = tmp_path / 'file'
    save_plain(Asks(np.dtype, name, False, True, state=state), path)
    read = read_pickle(str(path))
    assert read == np.dtype(name) and read.names is None


def test_a_history_brings_no_functions_for_others(tmp_path, monkeypatch):
    history = HistoryBuffer([1.5], [1])
    with monkeypatch.context() as patch:
        patch.setitem(HistoryBuffer._statistics_methods, 'mean', len)
        save_plain([history], tmp_path / 'file')
    with pytest.raises(UserError, match=r'builtins\.len'):
        read_pickle(str(tmp_path / 'file'))
    with monkeypatch.context() as patch:
        patch.setitem(HistoryBuffer._statistics_methods, 'mean', 1)
        save_plain([history], tmp_path / 'file')
    (read,) = read_pickle(str(tmp_path / 'file'))
    assert read.statistics('mean') == 1.5


def test_no_source_of_a_class_is_compared_and_written(tmp_path, monkeypatch):
    """PyTorch before 1.6 kept it, and its reader still writes a patch."""
    monkeypatch.chdir(tmp_path)
    named = ('module', collections.OrderedDict, 'a.py', 'evil')

    class Sourced(pickle.Pickler):
        def persistent_id(self, thing):
            return named if thing == 'here' else None

    stream = io.BytesIO()
    for header in (0x1950A86A20F9469CFC6C, 1001, {}):
        pickle.dump(header, stream, 2)
    Sourced(stream, 2).dump(['here'])
    pickle.dump([], stream, 2)
    (tmp_path / 'file').write_bytes(stream.getvalue())
    with pytest.raises(UserError, match='asks for a class with its source'):
        read_torch(str(tmp_path / 'file'))


def test_what_has_a_reader_of_its_own_is_refused(tmp_path):
    script = torch.jit.trace(torch.nn.ReLU(), torch.ones(1))
    torch.jit.save(script, str(tmp_path / 'script'))
    with pytest.raises(UserError, match='script: asks for TorchScript'):
        read_torch(str(tmp_path / 'script'))
    with tarfile.open(tmp_path / 'tar', 'w') as archive:
        archive.add(tmp_path / 'script', 'storages')
    with pytest.raises(UserError, match=r'tar: asks for an archive of PyTorch before'):
        read_torch(str(tmp_path / 'tar'))


def test_trust_reads_all_of_it_and_ends(kept):
    content = {'x': Path('a')}
    with trusting():
        assert kept(content) == content
    with trusting(False), pytest.raises(UserError):
        kept(content)
