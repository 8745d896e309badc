"""Files are read with what they need, and whatever asks for more is refused."""

import codecs
import collections
import copy
import io
import os
import pickle
import tarfile
import zipfile
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
        'empty': torch.empty(0, 3),
        'one': torch.tensor(2.0),
        'wide': torch.ones(1).expand(3),
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
    own = state['anneal_func']
    anneal = kept(state)['anneal_func']
    assert anneal(1.0, 3.0, 0.25) == own(1.0, 3.0, 0.25)
    assert pickle.loads(pickle.dumps(anneal, protocol=2)) is own


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


@pytest.mark.parametrize('state', [{'__doc__': ''}, (None, {'__defaults__': (1,)})])
def test_no_function_of_a_scheduler_is_changed(state, kept, monkeypatch):
    own = OneCycleParamScheduler._annealing_cos
    monkeypatch.setattr(own, '__defaults__', None)
    evil = Asks(getattr, OneCycleParamScheduler, '_annealing_cos', state=state)
    with pytest.raises(UserError, match='asks for a change of what it gets'):
        kept(evil)
    assert own.__defaults__ is None


class Claim:
    """A reference to a storage, pickled as it is given."""

    def __init__(self, *parts):
        self.parts = parts


class Claiming(pickle.Pickler):
    def persistent_id(self, thing):
        return thing.parts if isinstance(thing, Claim) else None


def tensor_of(storage, offset=0, size=(4,), stride=(1,), state=None):
    hooks = collections.OrderedDict()
    parts = (storage, offset, size, stride, False, hooks)
    return Asks(torch._utils._rebuild_tensor_v2, *parts, state=state)


@pytest.fixture
def claim(tmp_path):
    """Read a zip with a storage of 16 bytes, of which a reference claims something."""

    def through(kind, key, count, size=1):
        stream = io.BytesIO()
        tensor = tensor_of(Claim('storage', kind, key, 'cpu', count), size=(size,))
        Claiming(stream, 2).dump({'w': tensor})
        with zipfile.ZipFile(tmp_path / 'file', 'w') as archive:
            archive.writestr('a/data.pkl', stream.getvalue())
            archive.writestr('a/version', '3\n')
            archive.writestr('a/data/0', bytes(16))
        return read_torch(str(tmp_path / 'file'))

    return through


@pytest.mark.parametrize(
    ('kind', 'key', 'count'),
    [
        (torch.FloatStorage, '0', 1024),
        (torch.FloatStorage, '0', 3),
        (torch.FloatStorage, '0', -4),
        (torch.DoubleStorage, '0', 4),
        (torch.FloatStorage, '0', 4.0),
        (torch.FloatStorage, 0, 4),
        (torch.FloatStorage, '1', 4),
    ],
)
def test_no_memory_is_taken_beyond_what_a_zip_holds(kind, key, count, claim):
    assert claim(torch.FloatStorage, '0', 4, 4)['w'].tolist() == [0] * 4
    with pytest.raises((pickle.UnpicklingError, RuntimeError), match=r'storage|locat'):
        claim(kind, key, count)


@pytest.mark.parametrize(
    'shape',
    [
        {'size': (5,)},
        {'offset': 1},
        {'stride': (2,)},
        {'size': (3, 2), 'stride': (1, 2)},
        {'offset': 4, 'size': (), 'stride': ()},
        {'offset': -1, 'size': (1,)},
        {'stride': (-1,), 'offset': 3},
        {'size': (True,)},
        {'stride': ()},
    ],
)
def test_no_tensor_is_larger_than_its_storage(shape, kept):
    own = torch.ones(4)._typed_storage()
    assert kept(tensor_of(own, 1, (3,))).tolist() == [1] * 3
    with pytest.raises((pickle.UnpicklingError, ValueError), match=r'tensor|zip'):
        kept(tensor_of(own, **shape))


def test_a_tensor_needs_a_storage_and_gets_no_other(kept):
    own = torch.ones(4)._typed_storage()
    for storage in ([1.0], torch.ones(4)):
        with pytest.raises(pickle.UnpicklingError, match='a tensor without a storage'):
            kept(tensor_of(storage))
    with pytest.raises(TypeError):
        kept(tensor_of(own, state=(own, 0, (99,), (1,))))


def old_file(path, content):
    """Write PyTorch's format before 1.6 up to where the storages follow."""
    stream = io.BytesIO()
    for header in (0x1950A86A20F9469CFC6C, 1001, {}):
        pickle.dump(header, stream, 2)
    Claiming(stream, 2).dump(content)
    pickle.dump([], stream, 2)
    path.write_bytes(stream.getvalue())


def test_no_part_of_a_storage_outlives_it(tmp_path):
    part = Claim('storage', torch.FloatStorage, '0', 'cpu', 4, ('1', 0, 2))
    old_file(tmp_path / 'file', [tensor_of(part, size=(2,))])
    with pytest.raises(UserError, match='asks for a part of a storage'):
        read_torch(str(tmp_path / 'file'))


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
    named = Claim('module', collections.OrderedDict, 'a.py', 'evil')
    old_file(tmp_path / 'file', [named])
    with pytest.raises(UserError, match='asks for a class with its source'):
        read_torch(str(tmp_path / 'file'))


def test_what_has_a_reader_of_its_own_is_refused(tmp_path):
    script = torch.jit.trace(torch.nn.ReLU(), torch.ones(1))
    torch.jit.save(script, str(tmp_path / 'script'))
    with pytest.raises(UserError, match='script: asks for TorchScript'):
        read_torch(str(tmp_path / 'script'))


@pytest.mark.parametrize('magic', [b'ustar\x0000', bytes(8)])
def test_no_archive_is_unpacked(magic, tmp_path):
    """Its links would be followed; of the first archives, none says that it is one."""
    link = tarfile.TarInfo('storages')
    link.type, link.linkname = tarfile.SYMTYPE, '/etc/hostname'
    header = bytearray(link.tobuf(tarfile.USTAR_FORMAT))
    header[257:265] = magic
    header[148:156] = b' ' * 8
    header[148:156] = b'%06o\0 ' % sum(header)
    (tmp_path / 'tar').write_bytes(header + bytes(1024))
    assert tarfile.is_tarfile(tmp_path / 'tar')
    with pytest.raises(UserError, match=r'tar: asks for an archive of PyTorch before'):
        read_torch(str(tmp_path / 'tar'))


def test_trust_reads_all_of_it_and_ends(kept):
    content = {'x': Path('a')}
    with trusting():
        assert kept(content) == content
    with trusting(False), pytest.raises(UserError):
        kept(content)
