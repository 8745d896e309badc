"""Running jobs: in order, side by side, failing, interrupted.

How they are resumed is tested in ``test_campaign.py``.
"""

import os
import signal
import sys
from pathlib import Path

import pytest

from custom_datasets.errors import UserError
from custom_datasets.runs import jobs
from custom_datasets.runs.jobs import (
    Interrupted,
    Job,
    last_checkpoint,
    run_jobs,
    steps_done,
    visible_devices,
)

TRAIN = """
from pathlib import Path
import os, sys
folder = Path(sys.argv[1])
with open(folder / 'trained', 'a') as file:
    print(os.environ.get('CUDA_VISIBLE_DEVICES'), *sys.argv[2:], file=file)
(folder / 'epoch_2.pth').touch()
(folder / 'last_checkpoint').write_text(str(folder / 'epoch_2.pth'))
"""
TEST = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"


@pytest.fixture
def lock():
    """A file descriptor to inherit."""
    read, write = os.pipe()
    yield read
    os.close(read)
    os.close(write)


def make_job(folder, fold, train=TRAIN, test=TEST):
    path = folder / f'fold_{fold}'
    scripts = {name: folder / f'{name}_{fold}.py' for name in ('train', 'test')}
    scripts['train'].write_text(train)
    scripts['test'].write_text(test)
    return Job(
        name=f'fold_{fold}',
        folder=str(path),
        train=[sys.executable, str(scripts['train']), str(path)],
        steps=[
            lambda checkpoint: [
                *(sys.executable, str(scripts['test']), str(path / 'tested')),
                checkpoint,
            ]
        ],
    )


def run(jobs, lock, devices=(None,), watch=lambda: None):
    done = []
    failures = run_jobs(
        jobs,
        list(devices),
        lock,
        lambda job: None,
        lambda job, checkpoint: done.append((job.name, checkpoint)),
        watch,
    )
    return done, failures


def test_each_job_is_trained_then_tested_with_its_last_checkpoint(tmp_path, lock):
    done, failures = run([make_job(tmp_path, fold) for fold in (0, 1)], lock)
    checkpoints = [str(tmp_path / f'fold_{fold}/epoch_2.pth') for fold in (0, 1)]
    assert done == list(zip(('fold_0', 'fold_1'), checkpoints, strict=True))
    assert failures == {}
    assert [(tmp_path / f'fold_{f}/tested').read_text() for f in (0, 1)] == checkpoints
    assert (tmp_path / 'fold_0/trained').read_text() == 'None\n'


def test_processes_keep_the_lock(tmp_path, lock):
    job = make_job(tmp_path, 0, train=f'import os; os.fstat({lock})\n{TRAIN}')
    assert run([job], lock)[1] == {}


def test_a_fold_that_fails_leaves_the_others(tmp_path, lock):
    failing = TRAIN + "for i in range(50): print('line', i)\nsys.exit('out of memory')"
    jobs = [
        make_job(tmp_path, 0, train=failing),
        make_job(tmp_path, 1),
        make_job(tmp_path, 2, test='raise SystemExit(3)'),
        make_job(tmp_path, 3, train=''),
    ]
    done, failures = run(jobs, lock)
    assert [name for name, _ in done] == ['fold_1']
    lines = failures['fold_0'].splitlines()
    assert lines[0].startswith('ended with status 1: ')
    assert lines[0].endswith(f'the end of {tmp_path}/fold_0/console.log:')
    assert lines[1:] == [*(f'  line {i}' for i in range(39, 50)), '  out of memory']
    assert failures['fold_2'].startswith('ended with status 3: ')
    assert failures['fold_3'] == f'{tmp_path}/fold_3: the training left no checkpoint'


def test_folds_run_side_by_side_each_on_its_gpu(tmp_path, lock):
    # Each end of a named pipe waits for the other: one after the other, the first
    # fold would wait for ever.
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    jobs = [
        make_job(
            tmp_path, fold, train=f'{TRAIN}\nopen({str(pipe)!r}, {mode!r}).close()'
        )
        for fold, mode in ((0, 'w'), (1, 'r'))
    ]
    done, failures = run(jobs, lock, devices=('4', '6'))
    assert sorted(name for name, _ in done) == ['fold_0', 'fold_1']
    assert failures == {}
    used = {(tmp_path / f'fold_{fold}/trained').read_text().strip() for fold in (0, 1)}
    assert used == {'4', '6'}


@pytest.fixture
def pipe(tmp_path):
    """A named pipe: its path, and a function that reads without waiting."""
    path = tmp_path / 'pipe'
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read():
        try:
            return os.read(reader, 1000)
        except BlockingIOError:
            return b''

    yield str(path), read
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b''  # No process holds the other end.
    os.close(reader)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_all_processes(tmp_path, lock, pipe, number):
    # A training that has a worker, as loaders are; both write to the pipe's end.
    path, read = pipe
    code = (
        'import os, threading\n'
        f'file = open({path!r}, "w")\n'
        'worker = os.fork()\n'
        'print(os.getpid(), file=file, flush=True)\n'
        'threading.Event().wait()\n'
    )
    started = []

    def watch():
        started.extend(read().split())
        if len(started) == 2:
            os.kill(os.getpid(), number)

    jobs = [make_job(tmp_path, 0, train=code), make_job(tmp_path, 1)]
    with pytest.raises(Interrupted):
        run(jobs, lock, watch=watch)
    assert not (tmp_path / 'fold_1').exists()


def test_an_interruption_lets_a_training_close_its_record(tmp_path, lock, pipe):
    path, read = pipe
    code = (
        'import sys, threading\n'
        'try:\n'
        f'    print("begun", file=open({path!r}, "w"), flush=True)\n'
        '    threading.Event().wait()\n'
        'except KeyboardInterrupt:\n'
        '    open(sys.argv[1] + "/closed", "w").close()\n'
    )

    def watch():
        if read():
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run([make_job(tmp_path, 0, train=code)], lock, watch=watch)
    assert (tmp_path / 'fold_0/closed').exists()


def test_one_that_does_not_end_is_killed(tmp_path, lock, pipe, monkeypatch):
    monkeypatch.setattr(jobs, 'PATIENCE', 0.2)
    path, read = pipe
    code = (
        'import signal, threading\n'
        'for number in (signal.SIGINT, signal.SIGTERM):\n'
        '    signal.signal(number, signal.SIG_IGN)\n'
        f'file = open({path!r}, "w")\n'
        'print("deaf", file=file, flush=True)\n'
        'threading.Event().wait()\n'
    )

    def watch():
        if read():
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run([make_job(tmp_path, 0, train=code)], lock, watch=watch)


def test_the_last_checkpoint(tmp_path):
    folder = str(tmp_path)
    assert last_checkpoint(folder) is None
    assert steps_done(folder) == 0
    for name, steps in (('epoch_12.pth', 12), ('iter_300.pth', 300)):
        Path(folder, name).touch()
        Path(folder, 'last_checkpoint').write_text(f'{folder}/{name}')
        assert last_checkpoint(folder) == f'{folder}/{name}'
        assert steps_done(folder) == steps
    Path(folder, 'iter_300.pth').unlink()
    assert last_checkpoint(folder) is None


@pytest.mark.parametrize(
    ('visible', 'count', 'most', 'devices'),
    [
        (None, 0, None, [None]),
        (None, 2, None, ['0', '1']),
        (None, 3, 2, ['0', '1']),
        ('3, 5', 2, None, ['3', '5']),
        ('3,5', 2, 1, ['3']),
    ],
)
def test_gpus(monkeypatch, visible, count, most, devices):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if visible:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    monkeypatch.setattr('torch.cuda.device_count', lambda: count)
    assert visible_devices(most) == devices


def test_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 1)
    with pytest.raises(UserError, match='--gpus 2: only 1 can be seen here'):
        visible_devices(2)
