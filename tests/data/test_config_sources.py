"""What a data set class declares, read without importing it."""

import subprocess
import sys

import pytest

from custom_datasets.data.config_sources import read_declaration
from custom_datasets.errors import ConfigError

SOURCE = """
from mmdet.registry import DATASETS
from custom_datasets.datasets.voc import VOCFolderDataset

{names}

@DATASETS.register_module()
class FruitDataset(VOCFolderDataset):
    METAINFO = {metainfo}

    def __init__(self, ann_file, *, img_subdir='pictures', **kwargs):
        super().__init__(ann_file, img_subdir=img_subdir, **kwargs)
"""


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """A module of the user's own, under a name of its own."""
    name = f'fruit_{request.node.name.replace("[", "_").rstrip("]")}'

    def write(metainfo, names=''):
        text = SOURCE.format(metainfo=metainfo, names=names)
        (tmp_path / f'{name}.py').write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        return name

    return write


@pytest.mark.parametrize(
    'metainfo',
    ["{'classes': ('apple', 'pear')}", "dict(classes=('apple', 'pear'))"],
    ids=['braces', 'call'],
)
def test_literals_are_read_and_nothing_is_imported(module, metainfo):
    name = module(metainfo)
    declared = read_declaration('FruitDataset', [name], 'mmdet')
    assert declared.metainfo == {'classes': ('apple', 'pear')}
    assert declared.lineage[:2] == ('FruitDataset', 'VOCFolderDataset')
    assert declared.defaults['img_subdir'] == 'pictures'
    assert declared.defaults['ann_subdir'] == 'Annotations'
    assert name not in sys.modules


def test_what_is_computed_is_imported(module):
    name = module("{'classes': tuple(NAMES)}", names="NAMES = ['apple', 'pear']")
    declared = read_declaration('FruitDataset', [name], 'mmdet')
    assert declared.metainfo == {'classes': ('apple', 'pear')}
    assert name in sys.modules


def test_what_a_package_hands_on_is_imported(tmp_path, monkeypatch):
    package = tmp_path / 'berries'
    package.mkdir()
    (package / '__init__.py').write_text('from berries.inner import *\n')
    source = SOURCE.format(metainfo="{'classes': ('currant',)}", names='')
    text = source.replace('FruitDataset', 'BerryDataset')
    (package / 'inner.py').write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    declared = read_declaration('BerryDataset', ['berries'], 'mmdet')
    assert declared.metainfo == {'classes': ('currant',)}
    assert declared.lineage[:2] == ('BerryDataset', 'VOCFolderDataset')
    assert declared.defaults['img_subdir'] == 'pictures'
    assert declared.defaults['ann_subdir'] == 'Annotations'
    assert declared.defaults['one_based'] is True


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match='no_such_berries'):
        read_declaration('BerryDataset2', ['no_such_berries'], 'mmdet')


def test_an_upstream_class_is_found_in_its_package():
    declared = read_declaration('VOCDataset', [], 'mmdet')
    assert declared.lineage == ('VOCDataset', 'XMLDataset', 'BaseDetDataset')
    assert declared.metainfo['classes'][0] == 'aeroplane'


def test_what_is_read_is_what_an_import_gives():
    from custom_datasets.datasets.face_mask import FaceMaskDataset

    declared = read_declaration(
        'FaceMaskDataset', ['custom_datasets.datasets.face_mask'], 'mmdet'
    )
    assert declared.metainfo == FaceMaskDataset.METAINFO


def test_an_unknown_class_names_custom_imports():
    with pytest.raises(
        ConfigError, match=r"'NoDataset' was not found in .*custom_imports"
    ):
        read_declaration('NoDataset', ['custom_datasets.datasets.bccd'], 'mmdet')


def test_a_check_loads_neither_torch_nor_mmdet(bccd_root):
    code = f"""
import sys
from custom_datasets.checks.check import check_config
from pathlib import Path
leaf = Path('configs/sample/retinanet_r18_fpn_1xb8-12e_sample.py')
found = check_config(str(leaf), {{'data_root': {str(bccd_root)!r}}}, cached=False)
assert found.images == 16, found.images
print([name for name in ('torch', 'mmdet.datasets', 'mmcv.ops') if name in sys.modules])
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ('[]\n', 0), done.stderr
