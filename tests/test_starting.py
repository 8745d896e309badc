"""What a start leaves out must change nothing of what it does."""

import gc

import pytest
from mmengine.config import Config
from mmengine.config import config as mmengine_config
from mmengine.config import utils as config_utils
from yapf.yapflib import yapf_api

from custom_datasets.config import read_config
from custom_datasets.starting import format_once, settling, uncollected
from tests.leaves import SAMPLE


def test_bases_are_read_without_the_model_index(monkeypatch, tmp_path):
    opened = []
    load = config_utils.load
    monkeypatch.setattr(
        config_utils, 'load', lambda path, *rest: opened.append(path) or load(path)
    )
    assert read_config(str(SAMPLE)).default_scope == 'mmdet'
    assert opened == []
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
    with settling():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)
    with pytest.raises(ValueError, match='planted'), settling():
        raise ValueError('planted')
    assert gc.isenabled()
    gc.unfreeze()
