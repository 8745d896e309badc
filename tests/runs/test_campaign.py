"""A campaign: what it does, keeps, goes on with, and never mixes with another."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from custom_datasets.errors import UserError
from custom_datasets.runs import campaign
from custom_datasets.runs.campaign import (
    NOTE,
    Step,
    Task,
    locked,
    run_campaign,
    settings_of,
)
from custom_datasets.runs.jobs import Interrupted
from tests.training.contents import SESSION, content, entry

# Writes down each call, and fails where a file says so.
COMMAND = """
import sys
from pathlib import Path
verb, folder, *more = sys.argv[1:]
folder = Path(folder)
with open(folder.parent / 'calls', 'a') as file:
    print(verb, folder.name, *more, file=file)
if verb == 'train':
    (folder / 'epoch_3.pth').touch()
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_3.pth'))
else:
    (folder / verb).touch()
fails = folder.parent / f'{verb} {folder.name} fails'
sys.exit(fails.read_text() if fails.is_file() else 0)
"""
SETTINGS = {'lr': '0.1', 'epochs': '12'}


@pytest.fixture
def task(tmp_path):
    """Return a task, by its name, with a step ``test``."""
    script = tmp_path / 'command.py'
    script.write_text(COMMAND)

    def make(name, steps=('test',), reads='', **changes):
        folder = tmp_path / name

        def step(verb):
            return Step(
                verb,
                lambda path: [sys.executable, str(script), verb, str(folder), path],
                f'{verb}ed',
                reads if verb != 'test' else '',
            )

        train = [sys.executable, str(script), 'train', str(folder)]
        made = Task(
            name, str(folder), SETTINGS, 'abc', 3, train, list(map(step, steps))
        )
        return replace(made, **changes)

    return make


@pytest.fixture
def run(tmp_path):
    """Run tasks; returns what was reported, and the calls since the last time."""

    def run_tasks(*tasks):
        path = tmp_path / 'calls'
        path.unlink(missing_ok=True)
        run_tasks.said, run_tasks.steps = [], []
        try:
            return run_campaign(
                tasks,
                str(tmp_path),
                lambda done, failures: f'done: {sorted(done)}',
                say=run_tasks.said.append,
                progress=lambda *steps: run_tasks.steps.append(steps),
            )
        finally:
            run_tasks.calls = path.read_text().splitlines() if path.exists() else []

    return run_tasks


def test_what_is_done_is_not_done_again(run, task, tmp_path):
    last = tmp_path / 'a/epoch_3.pth'
    assert run(task('a')) == "done: ['a']"
    assert run.calls == ['train a', f'test a {last}']
    assert run.said == [
        f'a: training, log: {tmp_path}/a/console.log',
        f'a: trained and tested ({tmp_path}/a)',
    ]
    assert run.steps[-1] == (3, 3)
    assert run(task('a'), task('b')) == "done: ['a', 'b']"
    assert run.said[0] == 'done before: a'
    assert run.calls[0] == 'train b'
    # Its weights may go; its result is there.
    last.unlink()
    run(task('a'), task('b'))
    assert (run.said, run.calls) == (['done before: a, b'], [])


def test_a_failure_stops_no_other_and_is_resumed(run, task, tmp_path):
    fails = tmp_path / 'test a fails'
    fails.write_text('first this\nerror: power cut')
    with pytest.raises(UserError) as caught:
        run(task('a'), task('b'))
    text = str(caught.value)
    assert text.startswith('1 of 2 failed\n\na: ended with status 1: ')
    assert "\n  error: power cut\n\ndone: ['b']\n\nRun the same command" in text
    fails.unlink()
    run(task('a'), task('b'))
    last = tmp_path / 'a/epoch_3.pth'
    assert run.calls == [f'train a --resume {last}', f'test a {last}']
    log = tmp_path / 'a/console.log'
    assert run.said[1] == f'a: training goes on after 3, log: {log}'


def test_an_epoch_is_said_once_with_its_metric_and_the_time_left(task, tmp_path):
    def record(epochs, **session):
        return json.dumps(content(epochs=epochs, sessions=[{**SESSION, **session}]))

    # An earlier training has left two epochs, and no checkpoint: they are no news.
    epochs = [entry(1, {'voc/mAP': 0.5}), entry(2), entry(3, {'voc/mAP': 0.25})]
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/run.json').write_text(record(epochs[:2]))
    states = [record(epochs[:1], seconds=20.0), record(epochs, seconds=60.0)]
    script = tmp_path / 'train.py'
    script.write_text(
        'import time\n'
        f'{COMMAND.rpartition("fails =")[0]}'
        f'for said, state in {list(zip((2, 4), states, strict=True))}:\n'
        '    (folder / "run.json").write_text(state)\n'
        '    while not (folder / f"said {said}").exists():\n'
        '        time.sleep(0.01)\n'
    )
    said = []

    def say(line):
        said.append(line)
        (tmp_path / 'a' / f'said {len(said)}').touch()

    train = [sys.executable, str(script), 'train', str(tmp_path / 'a')]
    run_campaign(
        [task('a', train=train)], str(tmp_path), lambda done, failures: '', say=say
    )
    assert said[1:-1] == [
        'a: epoch 1/3, voc/mAP 0.5, about 40 s left',
        'a: epoch 2/3',
        'a: epoch 3/3, voc/mAP 0.25',
    ]


def test_lines_of_several_processes_do_not_run_into_each_other(task, tmp_path):
    """What begins is said by another thread than what is done."""
    inside, most, said = [], [], []

    def say(line):
        inside.append(line)
        most.append(len(inside))
        time.sleep(0.05)
        said.append(inside.pop())

    tasks = [task(name) for name in 'abc']
    run_campaign(tasks, str(tmp_path), lambda done, failures: '', say=say)
    assert max(most) == 1 and len(said) == 6


def test_a_new_step_is_done_alone_and_again_for_another_list(run, task, tmp_path):
    run(task('a'))
    for reads in ('old', 'new'):
        steps = task('a', ('test', 'predict'), reads)
        run(steps)
        assert run.calls == [f'predict a {tmp_path}/a/epoch_3.pth']
        assert run.said == [
            f'a: testing, log: {tmp_path}/a/console.log',
            f'a: predicted ({tmp_path}/a)',
        ]
        run(steps)
        assert run.calls == []
    (tmp_path / 'a/test').unlink()
    run(steps)
    assert run.calls == [f'test a {tmp_path}/a/epoch_3.pth']


def test_what_is_trained_anew_has_every_step_to_do(run, task, tmp_path):
    steps = task('a', ('test', 'predict'), 'list')
    run(steps)
    for name in ('a/epoch_3.pth', 'a/test'):
        (tmp_path / name).unlink()
    run(steps)
    assert [call.split()[0] for call in run.calls] == ['train', 'test', 'predict']
    for name in ('a/epoch_3.pth', 'a/test'):
        (tmp_path / name).unlink()
    run(task('a'))
    run(steps)
    assert [call.split()[0] for call in run.calls] == ['predict']


def test_a_folder_that_was_moved_is_gone_on_with(run, task, tmp_path):
    run(task('a'))
    (tmp_path / 'a').rename(tmp_path / 'b')
    (tmp_path / 'b/test').unlink()
    run(task('b'))
    assert run.calls == [f'test b {tmp_path}/b/epoch_3.pth']


def test_preparations_are_made_only_where_something_starts(run, task, tmp_path):
    made = []
    run(task('a'), task('b', prepare=lambda: made.append('b')))
    run(task('b', prepare=lambda: made.append('again')))
    assert made == ['b']


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'settings': {**SETTINGS, 'lr': '2'}}, 'lr was 0.1 and is 2; give another'),
        ({'settings': {**SETTINGS, 'new': '1'}}, 'new was - and is 1; give another'),
        ({'settings': {'lr': '0.1'}}, 'epochs was 12 and is -; give another'),
        ({'lists': 'xyz'}, 'settings: the lists of images have changed; give another'),
        (
            {'settings': {**SETTINGS, **{f'k{index}': '' for index in range(7)}}},
            'k4 was - and is ; and 2 more; give another',
        ),
    ],
)
def test_another_training_is_refused(run, task, tmp_path, changes, message):
    run(task('b'))
    note = (tmp_path / 'b' / NOTE).read_bytes()
    with pytest.raises(UserError, match='b: holds a training with other') as caught:
        run(task('a'), task('b', **changes))
    assert message in str(caught.value)
    assert (tmp_path / 'b' / NOTE).read_bytes() == note
    assert run.calls == [] and not (tmp_path / 'a').exists()
    # Where nothing came of it, a setting may have been misspelt.
    (tmp_path / 'b/epoch_3.pth').unlink()
    run(task('b', **changes))
    assert [call.split()[0] for call in run.calls] == ['train', 'test']


def test_a_training_by_hand_is_left_alone(run, task, tmp_path):
    run(task('a'))
    (tmp_path / 'a' / NOTE).unlink()
    with pytest.raises(UserError, match='a: holds a training that this command did n'):
        run(task('a'))
    assert run.calls == []


@pytest.mark.parametrize('text', ['', '[]', '{"settings": {}}', '{"lists": 1}'])
def test_a_broken_note(run, task, tmp_path, text):
    run(task('a'))
    (tmp_path / 'a' / NOTE).write_text(text)
    with pytest.raises(UserError, match=f'a/{NOTE}: cannot be read'):
        run(task('a'))
    (tmp_path / 'a/epoch_3.pth').unlink()
    run(task('a'))
    assert json.loads((tmp_path / 'a' / NOTE).read_text())['settings'] == SETTINGS


def test_an_interruption_is_one_sentence(run, task, monkeypatch):
    def interrupted(*_):
        raise Interrupted

    monkeypatch.setattr(campaign, 'run_jobs', interrupted)
    with pytest.raises(
        KeyboardInterrupt, match='keeps what is done; run the same comm'
    ):
        run(task('a'))


def test_only_what_leaves_the_weights_alone_does_not_matter():
    loader = {'batch_size': 4, 'num_workers': 2, 'persistent_workers': False}
    cfg = {
        'train_dataloader': {**loader, 'pin_memory': True},
        'val_dataloader': loader,
        'default_hooks': {'logger': {'interval': 10}, 'checkpoint': {'interval': 1}},
        'work_dir': 'here',
        'resume': True,
        'visualizer': {'type': 'X'},
        'advice': 'advice.yaml',
    }
    assert settings_of(cfg) == {
        'train_dataloader.batch_size': '4',
        # Each worker draws numbers of its own (tests/training/test_runner.py).
        'train_dataloader.num_workers': '2',
        'train_dataloader.persistent_workers': 'False',
        'val_dataloader.batch_size': '4',
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
        with pytest.raises(UserError, match='in use by another command'):
            with locked(folder):
                pass
    with pytest.raises(UserError, match='or by a training that one left running'):
        with locked(folder):
            pass
    child.communicate()
    with locked(folder):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    Path(tmp_path, 'file').touch()
    with pytest.raises(UserError, match='cannot be written'):
        with locked(os.path.join(tmp_path, 'file', 'inside')):
            pass
