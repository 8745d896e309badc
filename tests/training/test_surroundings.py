"""What a run ran in."""

import os
import subprocess
import sys

import pytest
import torch

from custom_datasets.training.surroundings import (
    command,
    free_memory,
    git_state,
    hardware,
    overrides,
    peak_memory,
    versions,
)


def git(folder, *arguments):
    identity = ['-c', 'user.name=a', '-c', 'user.email=a@b']
    done = subprocess.run(
        ['git', '-C', folder, *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, 'init', '--quiet')
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / 'a.py').write_text('lr = 1\n')
    git(tmp_path, 'add', '.')
    git(tmp_path, 'commit', '--quiet', '-m', 'first')
    return tmp_path


def test_a_clean_commit(repository):
    state = git_state(str(repository / 'configs'))
    assert state == {
        'commit': git(repository, 'rev-parse', 'HEAD'),
        'dirty': False,
        'changes': 0,
        'changed': [],
        'why': None,
    }


def test_changed_and_new_files_make_it_dirty(repository):
    (repository / 'configs' / 'a.py').write_text('lr = 2\n')
    (repository / 'new.py').write_text('')
    state = git_state(str(repository / 'configs'))
    assert state['dirty'] is True
    assert state['changes'] == 2
    assert state['changed'] == ['configs/a.py', 'new.py']


def test_without_a_repository_the_reason_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv('GIT_CEILING_DIRECTORIES', str(tmp_path.parent))
    state = git_state(str(tmp_path))
    assert state['commit'] is None and state['dirty'] is None
    assert 'not a git repository' in state['why']


def test_without_git_the_reason_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    assert git_state(str(tmp_path))['why'] == 'git is not installed'


def test_versions_and_hardware():
    found = versions()
    assert found['python'] == '.'.join(map(str, sys.version_info[:3]))
    assert found['torch'] == torch.__version__
    assert found['mmengine'] and found['mm-custom-datasets']
    machine = hardware()
    assert 1 <= machine['cores'] <= os.cpu_count()
    assert machine['ram_gb'] > 0.5
    assert len(machine['gpus']) == torch.cuda.device_count()


def test_the_command_is_the_one_that_was_typed():
    stock = '/env/lib/python3.11/site-packages/mmdet/.mim/tools/train.py'
    assert command([stock, 'a.py', '--amp']) == ['tools/train.py', 'a.py', '--amp']
    assert command(['mine.py', 'a.py']) == ['mine.py', 'a.py']


def test_overrides_are_read_from_the_command():
    argv = ['train.py', 'a.py', '--cfg-options', 'fold=2', 'a.b=[1,2]', '--amp']
    assert overrides(argv) == {'fold': 2, 'a.b': [1, 2]}
    assert overrides(['train.py', 'a.py']) == {}


@pytest.mark.skipif(
    torch.cuda.is_available() or sys.platform != 'linux',
    reason='with a GPU its memory is looked at; elsewhere nothing is told',
)
def test_a_worker_adds_its_memory():
    code = 'x = bytearray(64_000_000); print(flush=True); input()'
    with subprocess.Popen(
        [sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        alone, both = peak_memory(), peak_memory([child.pid])
        child.communicate(b'\n')
    assert alone['memory_of'] == 'process'
    assert both['memory_of'] == 'process and loader workers'
    assert both['peak_memory_mb'] - alone['peak_memory_mb'] >= 64
    assert peak_memory([child.pid])['peak_memory_mb'] == pytest.approx(
        peak_memory()['peak_memory_mb'], abs=5
    )


def test_free_memory_is_a_part_of_all():
    assert 1e7 < free_memory() <= 1e9 * hardware()['ram_gb'] + 1e8
