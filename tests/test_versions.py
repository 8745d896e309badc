"""What is installed is found by its distribution, and the tested ones are locked."""

import importlib
import re

import pytest

from custom_datasets.versions import (
    TESTED,
    installed_version,
    is_tested,
    package_folder,
)
from tests.leaves import ROOT


def locked(line):
    """Return the versions in ``requirements/<line>.in``, by import name."""
    renamed = {'mmdetection': 'mmdet', 'mmcv-lite': 'mmcv'}
    text = (ROOT / f'requirements/{line}.in').read_text()
    pairs = re.findall(r'^(?:onedl-)?([a-z-]+)==([\d.]+)', text, re.MULTILINE)
    return {renamed.get(name, name): version for name, version in pairs}


def test_tested_versions_are_those_of_the_two_lines():
    old, new = locked('openmmlab'), locked('onedl')
    assert {name: (old[name], new[name]) for name in TESTED} == TESTED


@pytest.mark.parametrize('package', TESTED)
def test_versions_are_those_of_the_modules(package):
    version = importlib.import_module(package).__version__.partition('+')[0]
    assert installed_version(package).partition('+')[0] == version


@pytest.mark.parametrize(
    ('version', 'tested'),
    [
        ('3.2.9', False),
        ('3.3.0', True),
        ('3.5.1+cpu', True),
        ('3.5.1.post1', True),
        ('3.5.2', False),
        ('3.10.0', False),
    ],
)
def test_versions_between_the_two_lines_are_tested(version, tested):
    assert is_tested('mmdet', version) == tested


def test_packages_that_are_not_there():
    assert installed_version('no-such-package') is None
    assert package_folder('no_such_package') is None
