"""Reading a checkpoint's facts without torch, and without executing it."""

import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from custom_datasets.checking.checkpoint import CheckpointFacts, read_checkpoint


class Boom:
    def __reduce__(self):
        return (eval, ('1/0',))


def test_meta_beside_tensors_of_all_kinds(tmp_path):
    path = tmp_path / 'c.pth'
    meta = {'dataset_meta': {'classes': ('a', 'b')}, 'epoch': 7, 'x': np.ones(3)}
    weights = OrderedDict(
        w=torch.nn.Parameter(torch.ones(2, 2)), h=torch.ones(1).half()
    )
    torch.save(
        {'meta': meta, 'state_dict': weights, 'rng': torch.get_rng_state()}, path
    )
    assert read_checkpoint(str(path)) == CheckpointFacts(('a', 'b'), 7)


def test_nothing_is_executed(tmp_path):
    path = tmp_path / 'c.pth'
    content = {'meta': {'epoch': 7, 'evil': Boom()}}
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', pickle.dumps(content))
    assert read_checkpoint(str(path)).epoch == 7


@pytest.mark.parametrize('content', [b'', b'no zip', pickle.dumps({'meta': {}})])
def test_another_format_says_nothing(tmp_path, content):
    path = tmp_path / 'c.pth'
    path.write_bytes(content)
    assert read_checkpoint(str(path)) == CheckpointFacts()


def test_a_zip_cut_inside_says_nothing(tmp_path):
    path = tmp_path / 'c.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', pickle.dumps({'a': [1, 2]})[:-4])
    assert read_checkpoint(str(path)) == CheckpointFacts()
