"""Which files a config inherits, and which of them are upstream's."""

import pytest

from custom_datasets import config
from custom_datasets.config import assigned_value, base_files, is_upstream
from tests.leaves import ROOT

LEAF = str(ROOT / 'configs/bccd/dino-4scale_r50_1xb2-12e_bccd.py')


def test_bases_are_files_of_ours_and_of_a_package():
    upstream, own = base_files(LEAF)
    assert upstream.endswith(
        '/mmdet/.mim/configs/dino/dino-4scale_r50_8xb2-12e_coco.py'
    )
    assert own.endswith('/_base_/det_plugin.py')
    assert [is_upstream(path) for path in (upstream, own, LEAF)] == [True, False, False]
    data, _ = base_files(upstream)
    assert is_upstream(data) and assigned_value(data, 'data_root') == 'data/coco/'


def test_a_package_from_its_repository_has_configs_beside_it(tmp_path, monkeypatch):
    (tmp_path / 'mmdet').mkdir()
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs/a.py').write_text('data_root = 1\n')
    (tmp_path / 'leaf.py').write_text("_base_ = 'mmdet::a.py'\n")
    monkeypatch.setattr(config, 'package_folder', lambda name: str(tmp_path / name))
    (base,) = base_files(str(tmp_path / 'leaf.py'))
    assert base == str(tmp_path / 'configs/a.py')
    assert is_upstream(base) and not is_upstream(str(tmp_path / 'leaf.py'))


def test_without_the_package_nothing_is_upstream(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(config, 'package_folder', lambda name: None)
    assert [is_upstream(path) for path in base_files(LEAF)] == [False]


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('a = 1\na = 2\n', 2),
        ('b = a = (1, 2)\n', (1, 2)),
        ('a = b\n', None),
        ('def a():\n    pass\n', None),
        ('', None),
    ],
)
def test_what_a_file_assigns(tmp_path, text, value):
    (tmp_path / 'c.py').write_text(text)
    assert assigned_value(str(tmp_path / 'c.py'), 'a') == value
    assert assigned_value(str(tmp_path / 'no.py'), 'a') is None
