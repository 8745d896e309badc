"""Reading and writing run.json."""

import copy
import json
import logging

import numpy as np
import pytest
import torch

from custom_datasets.errors import UserError
from custom_datasets.training.record import (
    RunRecord,
    best_of,
    curves_of,
    has_run,
    plain,
    read_curves,
    read_run,
    set_aside,
    write_or_warn,
    write_run,
)
from tests.training.contents import content


def test_what_is_written_is_read_again(tmp_path):
    folder = tmp_path / 'work' / 'fruit'
    write_run(RunRecord(str(folder), content()))
    read = read_run(str(folder))
    assert read.content == content()
    assert read.name == 'fruit'
    assert read.config_file == str(folder / 'fruit.py')
    assert read.classes == ('apple', 'pear')
    assert sorted(path.name for path in folder.iterdir()) == ['run.json', 'run.md']
    assert (folder / 'run.md').read_text().startswith('# fruit: finished\n')


def test_a_folder_in_bytes_of_another_system_is_recorded(tmp_path):
    described = {**content(), 'command': ['train.py', 'data_root=d\udce4ta']}
    write_run(RunRecord(str(tmp_path), described))
    assert 'd\\udce4ta' in (tmp_path / 'run.md').read_text()
    assert read_run(str(tmp_path)).content['command'] == described['command']


def test_what_json_cannot_hold_leaves_the_old_files(tmp_path):
    record = RunRecord(str(tmp_path), content())
    write_run(record)
    before = (tmp_path / 'run.json').read_bytes()
    with pytest.raises(ValueError, match='nan'):
        write_run(RunRecord(str(tmp_path), content(wall_seconds=float('nan'))))
    assert (tmp_path / 'run.json').read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'no such file; name the work directory'),
        ('{"format": 1,', 'incomplete or damaged'),
        ('[]', 'its format is None, and this version reads 1'),
        ('{"format": 2}', 'its format is 2, and this version reads 1'),
        ('{"format": 1}', r"another version \('status' is missing\); read it with"),
        ('{"format": 1, "seed": NaN}', r'incomplete or damaged \(NaN is not JSON\)'),
    ],
)
def test_what_is_no_record_is_said(tmp_path, text, message):
    if text is not None:
        (tmp_path / 'run.json').write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_run(str(tmp_path))
    assert str(caught.value).startswith(str(tmp_path / 'run.json'))


def test_a_record_that_cannot_be_written_warns(tmp_path, caplog):
    blocked = tmp_path / 'file'
    blocked.write_text('in the way')
    logger = logging.getLogger('run')
    write_or_warn(RunRecord(str(blocked), content()), logger)
    (message,) = caplog.messages
    assert 'the run continues without its record' in message
    assert blocked.read_text() == 'in the way'


def test_a_record_that_cannot_be_shown_warns(tmp_path, caplog):
    """The training goes on whatever is wrong with what is written of it."""
    broken = copy.deepcopy(content())
    del broken['git']['changes']
    write_or_warn(RunRecord(str(tmp_path), broken), logging.getLogger('run'))
    (message,) = caplog.messages
    assert 'the run continues without its record: UndefinedError: ' in message
    assert "'changes'" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('change', 'damage'),
    [
        (lambda r: r['git'].pop('changes'), "'changes' is missing"),
        (lambda r: r.update(git=None), "'None' has no attribute"),
        (lambda r: r.pop('tests'), "'tests' is missing"),
        (lambda r: r.update(wall_seconds='long'), 'not supported between'),
        (lambda r: r['best'].pop('metric'), "'metric' is missing"),
    ],
)
def test_a_record_that_lacks_something_is_read_but_not_added_to(
    tmp_path, change, damage
):
    older = copy.deepcopy(content())
    change(older)
    (tmp_path / 'run.json').write_text(json.dumps(older))
    assert read_run(str(tmp_path)).content == older
    with pytest.raises(UserError, match=rf'run\.json: damaged, .*{damage}.*'):
        read_run(str(tmp_path), whole=True)


@pytest.mark.parametrize(
    'change',
    [
        lambda r: r.update(status=None),
        lambda r: r['config'].update(dumped=7),
        lambda r: r['data']['train'].update(classes=[1, 2]),
        lambda r: r['data'].update(train=None),
        lambda r: r['epochs'][1].pop('iteration'),
        lambda r: r.update(epochs=[7]),
        lambda r: r['epochs'][0].update(metrics='0.5'),
        lambda r: r['best'].update(value='high'),
    ],
)
def test_what_every_reader_takes_is_asked_for_always(tmp_path, change):
    damaged = copy.deepcopy(content())
    change(damaged)
    (tmp_path / 'run.json').write_text(json.dumps(damaged))
    with pytest.raises(UserError, match=r'run\.json: damaged, or written by another'):
        read_run(str(tmp_path))


def test_an_earlier_record_is_moved(tmp_path):
    write_run(RunRecord(str(tmp_path), content(seed=7)))
    log = tmp_path / 'log'
    set_aside(str(tmp_path), str(log))
    assert not has_run(str(tmp_path))
    assert json.loads((log / 'previous_run.json').read_text())['seed'] == 7
    assert (log / 'previous_run.md').exists()
    set_aside(str(tmp_path), str(tmp_path / 'nothing'))
    assert not (tmp_path / 'nothing').exists()


def test_curves_by_epoch(tmp_path):
    write_run(RunRecord(str(tmp_path), content()))
    curves = read_curves(str(tmp_path))
    assert curves.step == 'epoch'
    assert curves.loss == [(1, 1.5), (2, 0.75)]
    assert curves.rate == [(1, 0.001), (2, 0.001)]
    assert curves.metrics == {'voc/mAP': [(1, 0.5), (2, 0.25)]}
    assert (curves.metric, curves.best) == ('voc/mAP', (1, 0.5))
    assert curves_of(content(), by_epoch=False).best == (5, 0.5)


def test_curves_by_iteration_leave_out_what_is_not_known():
    first, second = (
        {**entry, 'epoch': None, 'lr': None} for entry in content()['epochs']
    )
    first = {**first, 'losses': {'loss': None}, 'metrics': None}
    curves = curves_of({'epochs': [first, second]})
    assert curves.step == 'iteration'
    assert curves.loss == [(10, 0.75)]
    assert curves.rate == []
    assert curves.metrics == {'voc/mAP': [(10, 0.25)]}
    assert (curves.metric, curves.best) == (None, None)


def test_numbers_of_all_kinds_become_plain():
    value = {
        'a': np.float32(0.5),
        'b': torch.tensor([1, 2]),
        'c': float('nan'),
        3: (True, None, 'x', np.array([1.0, np.inf])),
        'd': torch.float32,
    }
    assert plain(value) == {
        'a': 0.5,
        'b': [1, 2],
        'c': None,
        '3': [True, None, 'x', [1.0, None]],
        'd': 'torch.float32',
    }
    json.dumps(plain(value), allow_nan=False)


def test_the_first_of_the_best_epochs_is_taken():
    values = [None, {'a': 0.5}, {'a': 0.75}, {'a': None}, {'a': 0.75}, {'b': 9}]
    entries = [
        {'epoch': i, 'iteration': 2 * i, 'metrics': each}
        for i, each in enumerate(values)
    ]
    assert best_of(entries, 'a', 'greater', 'best.pth') == {
        'metric': 'a',
        'rule': 'greater',
        'value': 0.75,
        'epoch': 2,
        'iteration': 4,
        'checkpoint': 'best.pth',
    }
    least = best_of(entries, 'a', 'less')
    assert (least['epoch'], least['value'], least['checkpoint']) == (1, 0.5, None)
    assert best_of(entries, 'c', 'less') is None
