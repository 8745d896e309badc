"""A run killed in the middle of an epoch goes on to the same weights."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from mmengine.config import Config

from custom_datasets.training.record import read_run
from tests.leaves import ROOT, SAMPLE, small_run


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_resumed_run_ends_with_the_same_weights(run, bccd_root, tmp_path, precision):
    """Whatever precision the resuming call asks for."""
    options = [
        *(o for o in small_run(SAMPLE, bccd_root) if '.indices=' not in o),
        'train_cfg.max_epochs=3',
        'train_dataloader.num_workers=1',
    ]

    def arguments(work_dir, *extra):
        return [SAMPLE, '--work-dir', work_dir, *extra, '--cfg-options', *options]

    usual, other = [], ['--amp']
    if precision == 'bfloat16':
        usual, other = other, usual
    done = run('train.py', *arguments(tmp_path / 'whole', *usual))
    assert done.returncode == 0, done.stderr[-3000:]

    kill_in_epoch(2, arguments(tmp_path / 'broken', *usual))
    broken = tmp_path / 'broken'
    assert (broken / 'epoch_1.pth').exists()
    assert not (broken / 'epoch_2.pth').exists()

    done = run('train.py', *arguments(broken, '--resume', *other))
    assert done.returncode == 0, done.stderr[-3000:]
    said = f'epoch_1.pth: was trained in {precision}, and continues in it, not in '
    assert said in done.stdout + done.stderr
    whole = weights(tmp_path / 'whole' / 'epoch_3.pth')
    resumed = weights(broken / 'epoch_3.pth')
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    assert read_run(str(broken)).content['precision'] == precision
    dumped = Config.fromfile(broken / SAMPLE.name)
    assert dumped.get('precision', 'float32') == precision


def weights(path):
    return torch.load(path, weights_only=False)['state_dict']


def kill_in_epoch(epoch, arguments):
    command = [sys.executable, str(ROOT / 'tools' / 'train.py'), *map(str, arguments)]
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 300
        for line in process.stdout:
            assert time.monotonic() < deadline
            if 'Epoch(train)' in line and f'[{epoch}][' in line:
                os.killpg(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
