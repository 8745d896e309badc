"""Versions, devices, disk and shared memory."""

import importlib
import os
import re
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from custom_datasets.checks import environment
from custom_datasets.checks.environment import (
    TESTED,
    check_devices,
    check_environment,
    check_versions,
)

ROOT = Path(__file__).resolve().parents[2]
Usage = namedtuple('Usage', 'total used free')


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
    assert environment.installed_version(package).partition('+')[0] == version


@pytest.mark.parametrize(
    ('version', 'codes'),
    [
        ('2.11.0+cu130', ['versions']),
        ('2.9.1', ['versions']),
        ('2.12.0', ['versions', 'untested-version']),
        ('1.13.1', ['versions', 'untested-version']),
        (None, ['versions']),
    ],
)
def test_a_version_outside_of_what_was_tested(version, codes):
    assert [f.code for f in check_versions({'torch': version})] == codes


def test_cuda_build_is_what_torch_says():
    assert environment.cuda_build() == torch.version.cuda


@pytest.mark.parametrize(
    ('gpus', 'cuda', 'code'),
    [
        (['H200, 1 MiB, 580'], '13.0', 'device'),
        (['H200, 1 MiB, 580'], None, 'gpu-unused'),
        ([], None, 'device'),
    ],
)
def test_a_gpu_that_torch_cannot_use(gpus, cuda, code):
    assert [f.code for f in check_devices(gpus, cuda)] == [code]


def test_little_disk_and_shared_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, 'list_gpus', list)
    cfg = {'train_dataloader': {'num_workers': 2}}
    if not os.path.isdir('/dev/shm'):
        cfg = {}
    usage = Usage(64e6, 0, 64e6)
    monkeypatch.setattr(environment.shutil, 'disk_usage', lambda path: usage)
    found = check_environment(cfg, str(tmp_path / 'not/yet'))
    severe = {f.code: f.file for f in found if f.severity == 'warning'}
    assert severe['disk-space'] == str(tmp_path)
    assert ('shared-memory' in severe) == bool(cfg)
