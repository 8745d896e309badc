"""Files are read with what they need, and whatever asks for more is refused."""

import codecs
import collections
import copy
import io
import os
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from custom_datasets.errors import UserError
from custom_datasets.pickles import read_pickle, read_torch

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
        'names': np.array(['a', 'bc']),
        'scalar': np.float32(2.5),
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


ARBITRARY = {
    'posix.system': Asks(os.system, f'touch {RAN}'),
    r'builtins\.eval': Asks(eval, f'open("{RAN}", "w")'),
    'builtins.exec': Asks(exec, f'open("{RAN}", "w")'),
    'functools.partial': Asks(partial, print),
    'builtins.getattr': Asks(getattr, HistoryBuffer, '__init__'),
    r'pathlib(\._local)?\.PosixPath': Path('a'),
    '_codecs.encode to zip': Asks(codecs.encode, 'a', 'zip'),
}


@pytest.mark.parametrize('name', ARBITRARY)
def test_nothing_else_is_called(kept, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf'file: asks for {name}, and .* --trust'):
        kept({'state_dict': {}, 'x': ARBITRARY[name]})
    assert not (tmp_path / RAN).exists()
