"""What a command may go on with, and keeping a folder for one command."""

import os
import subprocess
import sys

import pytest

from custom_datasets.errors import UserError
from custom_datasets.runs.jobs import locked, settings_of


def test_what_the_machine_has_does_not_matter():
    loader = {'batch_size': 4, 'num_workers': 2, 'persistent_workers': False}
    cfg = {
        'train_dataloader': loader,
        'default_hooks': {'logger': {'interval': 10}, 'checkpoint': {'interval': 1}},
        'work_dir': 'here',
        'visualizer': {'type': 'X'},
    }
    assert settings_of(cfg) == {
        'train_dataloader.batch_size': '4',
        'default_hooks.checkpoint.interval': '1',
    }


def test_a_folder_is_locked_as_long_as_a_process_works_in_it(tmp_path):
    folder = str(tmp_path / 'new')
    with locked(folder) as lock:
        # It ends when its input does.
        child = subprocess.Popen(
            [sys.executable, '-c', 'input()'],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock],
        )
        with pytest.raises(UserError, match='another command is at work'):
            with locked(folder):
                pass
    with pytest.raises(UserError, match='or a training that one has left'):
        with locked(folder):
            pass
    child.communicate()
    with locked(folder):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match='cannot be written'):
        with locked(os.path.join(tmp_path, 'file', 'inside')):
            pass
