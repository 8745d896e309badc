"""The distributed path, over gloo: trains, and tests to the same metrics."""

import json

import pytest
import torch

from custom_datasets.samples.boxes import draw_bccd
from tests.leaves import SAMPLE, small_run

IMAGES = 7
"""Not a multiple of two or three processes."""


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('odd')
    draw_bccd(str(root), {'train': 8, 'val': 5, 'test': IMAGES}, (96, 80))
    return root


@pytest.fixture(scope='module')
def options(data_root):
    return [o for o in small_run(SAMPLE, data_root) if '.indices=' not in o]


def metrics_of(work_dir):
    written = list(work_dir.glob('*/*.json'))
    assert len(written) == 1
    return json.loads(written[0].read_text())


def logged_rates(work_dir):
    (written,) = work_dir.glob('*/vis_data/scalars.json')
    lines = map(json.loads, written.read_text().splitlines())
    return [line['lr'] for line in lines if 'lr' in line]


def without_times(metrics):
    return {k: v for k, v in metrics.items() if k not in ('time', 'data_time')}


def test_trains_on_two_and_tests_on_one_two_and_three(run, options, tmp_path):
    train_dir = tmp_path / 'train'
    rate = 'optim_wrapper.optimizer.lr=0.004'
    arguments = ['--work-dir', train_dir, '--cfg-options', *options, rate]
    done = run('dist_train.sh', SAMPLE, 2, *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    log = next(train_dir.glob('*/*.log')).read_text()
    # 8 images, 2 at a time on each of 2 processes: 2 iterations.
    assert 'Epoch(train) [1][2/2]' in log or 'Epoch(train)  [1][2/2]' in log
    assert 'Distributed launcher: pytorch' in log
    checkpoint = train_dir / 'epoch_1.pth'
    assert torch.load(checkpoint, weights_only=False)['meta']['iter'] == 2
    # The rate is for 8 images. One process with 2 gets a quarter of it
    # (tests/configs/test_train_step.py), and two processes a half.
    assert max(logged_rates(train_dir)) == pytest.approx(0.004 * 2 * 2 / 8)

    tail = ['--cfg-options', *options, 'model.test_cfg.score_thr=0.0']
    done = run('test.py', SAMPLE, checkpoint, '--work-dir', tmp_path / '1', *tail)
    assert done.returncode == 0, done.stderr[-3000:]
    single = without_times(metrics_of(tmp_path / '1'))
    assert single['pascal_voc/AP50'] > 0
    for processes in (2, 3):
        where = ['--work-dir', tmp_path / str(processes)]
        done = run('dist_test.sh', SAMPLE, checkpoint, processes, *where, *tail)
        assert done.returncode == 0, done.stderr[-3000:]
        assert without_times(metrics_of(tmp_path / str(processes))) == single


@pytest.mark.parametrize(
    ('tool', 'arguments'),
    [
        ('dist_train.sh', []),
        ('dist_train.sh', ['config.py']),
        ('dist_test.sh', ['config.py', 'checkpoint.pth']),
        ('dist_train.sh', ['config.py', 'two']),
        ('dist_run.sh', []),
        ('dist_run.sh', ['configs/a.py', '2']),
        ('slurm_run.sh', []),
        ('slurm_run.sh', ['configs/a.py']),
        ('slurm_train.sh', ['partition', 'job']),
        ('slurm_test.sh', ['partition', 'job', 'config.py']),
    ],
)
def test_wrong_usage_is_said(run, tool, arguments):
    done = run(tool, *arguments)
    assert done.returncode == 2
    assert 'usage:' in done.stderr or 'GPUS must be a number' in done.stderr


def test_several_machines_are_passed_to_torchrun(run, tmp_path):
    fake = tmp_path / 'python'
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    place = {
        'NNODES': '2',
        'NODE_RANK': '1',
        'MASTER_ADDR': '10.0.0.1',
        'PORT': '29511',
    }
    done = run('dist_train.sh', 'a b.py', 4, '--amp', PYTHON=str(fake), **place)
    words = done.stdout.splitlines()
    assert words[:2] == ['-m', 'torch.distributed.run']
    for word in ('--nnodes=2', '--node_rank=1', '--nproc_per_node=4'):
        assert word in words
    assert {'--master_addr=10.0.0.1', '--master_port=29511'} <= set(words)
    assert words[-4:] == ['a b.py', '--launcher', 'pytorch', '--amp']


def test_slurm_starts_one_process_a_gpu(run, tmp_path):
    fake = tmp_path / 'srun'
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    path = f'{tmp_path}:/usr/bin:/bin'
    arguments = ['gpu', 'cells', 'config.py', 'a b.pth', '--tta']
    place = {'GPUS': '16', 'GPUS_PER_NODE': '4', 'SRUN_ARGS': '--time=1:00 -x node7'}
    done = run('slurm_test.sh', *arguments, PATH=path, PYTHON='python', **place)
    words = done.stdout.splitlines()
    wanted = ['--partition=gpu', '--job-name=cells', '--gres=gpu:4', '--ntasks=16']
    assert set(wanted) | {'--ntasks-per-node=4', '--time=1:00', 'node7'} <= set(words)
    assert words[-5:] == ['config.py', 'a b.pth', '--tta', '--launcher', 'slurm']
