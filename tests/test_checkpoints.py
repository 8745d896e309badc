"""Reading a checkpoint's facts without torch, and without executing it."""

import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from custom_datasets.checkpoints import checkpoint_classes, classes_of


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
