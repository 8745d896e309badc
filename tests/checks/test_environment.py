"""Versions, devices, disk and shared memory."""

import os
from collections import namedtuple

import pytest
import torch

from custom_datasets.checks import environment
from custom_datasets.checks.environment import (
    check_devices,
    check_environment,
    check_versions,
)

Usage = namedtuple('Usage', 'total used free')


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
