"""What a start leaves out must change nothing of what it does."""

import builtins
import gc
import importlib
import subprocess
import sys

import pytest
from mmengine.config import Config
from mmengine.config import config as mmengine_config
from mmengine.config import utils as config_utils
from yapf.yapflib import yapf_api

from custom_datasets import starting
from custom_datasets.config import read_config
from custom_datasets.starting import (
    format_once,
    late_imports,
    settling,
    uncollected,
)
from tests.leaves import ROOT, SAMPLE


def test_bases_are_read_without_the_model_index(monkeypatch, tmp_path):
    opened = []
    load = config_utils.load
    monkeypatch.setattr(
        config_utils, 'load', lambda path, *rest: opened.append(path) or load(path)
    )
    reloaded = []
    monkeypatch.setattr(importlib, 'reload', reloaded.append)
    assert read_config(str(SAMPLE)).default_scope == 'mmdet'
    assert opened == [] and reloaded == []
    leaf = tmp_path / 'leaf.py'
    leaf.write_text("_base_ = 'mmdet::ssd/ssd300_coco.py'\n")
    assert read_config(str(leaf)).model.type == 'SingleStageDetector'
    assert opened[0].endswith('model-index.yml')


def test_a_base_that_is_not_there_is_said(tmp_path):
    leaf = tmp_path / 'leaf.py'
    leaf.write_text("_base_ = 'mmdet::_base_/models/no_such.py'\n")
    with pytest.raises(Exception, match='no_such'):
        read_config(str(leaf))


def test_a_config_is_formatted_once_until_it_changes(monkeypatch):
    formatted = []

    def count(text, **settings):
        formatted.append(text)
        return text, True

    monkeypatch.setattr(yapf_api, 'FormatCode', count)
    monkeypatch.setattr(mmengine_config, 'FormatCode', count, raising=False)
    format_once()
    format_once()
    config = Config({'a': 1})
    assert config.pretty_text == config.pretty_text == 'a=1'
    assert len(formatted) == 1
    config.a = 2
    assert config.pretty_text == 'a=2'
    assert len(formatted) == 2


def test_garbage_is_collected_again_behind_a_start():
    assert gc.isenabled()
    before = gc.get_freeze_count()
    kept = [[] for _ in range(1000)]
    with settling('test'):
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)
    with pytest.raises(ValueError, match='planted'), settling('test'):
        raise ValueError('planted')
    assert gc.isenabled()
    # Another of the kind can be freed: a process may make many.
    frozen = gc.get_freeze_count()
    with settling('test'):
        circle = []
        circle.append(circle)
    assert gc.get_freeze_count() == frozen
    gc.unfreeze()


IMPORTS = """
import heavy
import heavy.inner.deep as deep
from heavy.inner import double, Thing
"""


@pytest.fixture
def heavy(tmp_path, monkeypatch):
    """A package that mmdet would import late."""
    inner = tmp_path / 'heavy' / 'inner'
    inner.mkdir(parents=True)
    (inner.parent / '__init__.py').write_text('level = 3\n')
    (inner / '__init__.py').write_text(
        'def double(number): return 2 * number\nclass Thing: size = 4\n'
    )
    (inner / 'deep.py').write_text('depth = 5\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(starting, '_LATE', ('heavy',))
    yield
    for name in [name for name in sys.modules if name.startswith('heavy')]:
        del sys.modules[name]


def test_what_few_need_is_imported_when_it_is_used(heavy):
    names = {'__name__': 'mmdet.models.some_head'}
    with late_imports():
        exec(IMPORTS, names)
    assert 'heavy' not in sys.modules
    assert names['double'](4) == 8
    assert names['Thing'].size == 4 and names['Thing']().size == 4
    assert names['deep'].depth == 5
    assert names['heavy'].level == 3
    assert sys.modules['heavy.inner'].double is not names['double']
    with late_imports():
        exec(IMPORTS, names)
    assert sys.modules['heavy.inner'].double is names['double']


def test_only_mmdet_and_mmpretrain_wait(heavy):
    names = {'__name__': 'mmdetails'}
    with late_imports():
        exec(IMPORTS, names)
    assert sys.modules['heavy.inner'].double is names['double']


def test_what_is_missing_is_missing_at_once(monkeypatch):
    importing = builtins.__import__
    monkeypatch.setattr(starting, '_LATE', ('heavy',))
    with late_imports(), pytest.raises(ModuleNotFoundError, match='heavy'):
        exec(IMPORTS, {'__name__': 'mmdet.models'})
    assert builtins.__import__ is importing


def test_transforms_of_a_late_package_work():
    code = """
import sys
from custom_datasets import starting
with starting.late_imports():
    import mmdet.datasets, mmdet.models, mmpretrain.datasets
assert not set(starting._LATE) & set(sys.modules)
import numpy as np
image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
flip = [dict(type='HorizontalFlip', p=1)]
from mmdet.datasets.transforms import Albu
assert (Albu(flip)(dict(img=image))['img'] == image[:, ::-1]).all()
import mmpretrain.datasets.transforms as others
assert (others.Albumentations(flip)(dict(img=image))['img'] == image[:, ::-1]).all()
"""
    subprocess.run([sys.executable, '-W', 'ignore', '-c', code], check=True, cwd=ROOT)
