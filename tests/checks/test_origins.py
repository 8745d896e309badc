"""A list of sources is read before a run, not at its first validation."""

import shutil

import pytest

from custom_datasets.checks.check import check_config
from custom_datasets.samples.metal_surface import METAL_CLASSES
from tests.leaves import ROOT

LEAF = ROOT / 'configs/metal_surface/resnet18_light_1xb64-30e_metal-surface.py'


@pytest.fixture
def check(metal_crops, tmp_path):
    root = shutil.copytree(metal_crops, tmp_path / 'crops')

    def run(text):
        (root / 'sources.txt').write_text(text)
        options = {'data_root': str(root), 'classes': METAL_CLASSES}
        found = check_config(str(LEAF), options, images=False, cached=False).findings
        return [one for one in found if one.code.endswith('-sources')] or [
            one for one in found if one.code == 'unknown-source'
        ]

    return run


def test_all_is_well(check):
    assert not check('train\tone\nval\tone\ntest\ttwo\n')


def test_a_broken_line(check):
    (found,) = check('train\tone\nval two\n')
    assert (found.code, found.severity) == ('broken-sources', 'error')
    assert 'sources.txt: 1 problem' in found.message and 'line 2' in found.message


def test_an_empty_list(check):
    (found,) = check('')
    assert found.severity == 'error'


def test_a_part_without_a_source(check):
    (found,) = check('train\tone\nval\tone\n')
    assert (found.split, found.severity) == ('test', 'warning')
    assert 'the source of 0 of ' in found.message


def test_a_list_that_names_no_image(check):
    assert [one.split for one in check('Train\tone\n')] == ['train', 'val', 'test']
