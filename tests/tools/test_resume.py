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
from tests.leaves import LEAVES, ROOT, SAMPLE, small_run

# It clips gradients, averages weights and has options for some parameters.
AVERAGED = next(
    leaf for leaf in LEAVES if leaf.stem == 'retinanet_r18_fpn_1xb4-24e_bccd'
)


@pytest.mark.parametrize(
    ('leaf', 'precision', 'more', 'cache'),
    [
        (SAMPLE, 'float32', [], 'ram'),
        (AVERAGED, 'bfloat16', ['optim_wrapper.accumulative_counts=2'], 'disk'),
    ],
)
def test_resumed_run_ends_with_the_same_weights(
    run, bccd_root, tmp_path, leaf, precision, more, cache
):
    """Whatever precision the resuming call asks for, and where pixels are kept."""
    options = [
        *(o for o in small_run(leaf, bccd_root) if '.indices=' not in o),
        *more,
        'train_cfg.max_epochs=3',
        'train_dataloader.num_workers=1',
    ]

    def arguments(work_dir, *extra):
        return [leaf, '--work-dir', work_dir, *extra, '--cfg-options', *options]

    usual, other = [], ['--amp']
    if precision == 'bfloat16':
        usual, other = other, usual
    done = run('train.py', *arguments(tmp_path / 'whole', *usual))
    assert done.returncode == 0, done.stderr[-3000:]

    options.append(f'cache={cache}')
    kill_in_epoch(2, arguments(tmp_path / 'broken', *usual))
    broken = tmp_path / 'broken'
    assert (broken / 'epoch_1.pth').exists()
    assert not (broken / 'epoch_2.pth').exists()

    done = run('train.py', *arguments(broken, '--resume', *other))
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'images are decoded once' in done.stdout + done.stderr
    said = f'epoch_1.pth: was trained in {precision}, and continues in it, not in '
    assert said in done.stdout + done.stderr
    whole = weights(tmp_path / 'whole' / 'epoch_3.pth')
    resumed = weights(broken / 'epoch_3.pth')
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    assert read_run(str(broken)).content['precision'] == precision
    dumped = Config.fromfile(broken / leaf.name)
    assert dumped.get('precision', 'float32') == precision


def weights(path):
    """Return a checkpoint's weights and, where there are, their averages."""
    content = torch.load(path, weights_only=False)
    averages = content.get('ema_state_dict', {})
    weights = content['state_dict']
    return {**weights, **{f'average {name}': w for name, w in averages.items()}}


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
