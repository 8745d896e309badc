"""The page that people read of a run."""

import os

import pytest

from custom_datasets.training.run_md import duration, neighbours, run_page
from tests.training.contents import GIT, SESSION, SPLIT, content


def rows(page):
    lines = [line for line in page.splitlines() if line.startswith('| ')]
    return [line.strip('| ').split(' | ') for line in lines]


def test_the_head_says_what_came_of_it():
    page = run_page('fruit', content())
    assert page.splitlines()[:3] == [
        '# fruit: finished',
        '',
        'Best voc/mAP: **0.5** after epoch 1, kept as `best_voc_mAP_epoch_1.pth`. '
        'Epoch 2 of 2 in 1 h 02 min.',
    ]


def test_facts_stand_in_a_table():
    table = {row[0]: row[1] for row in rows(run_page('fruit', content())) if row[1:]}
    assert table[
        'commit'
    ] == '`0123456789ab` and changes in `a.py`, `b.py`, `c.py` ' + ('and 1 more')
    assert table['override fold'] == '`2`'
    assert table['train data'] == (
        '10 images of `ImageSets/Main/train.txt`, 30 samples per epoch '
        '(apple 12, pear 3), sha256 `aaaaaaaaaaaa`'
    )
    assert table['val data'] == 'none'
    assert table['model'] == (
        'Detector, 1.50 M parameters (1.00 M trained), '
        '2.50 G multiply-adds at 3 x 64 x 96'
    )
    assert table['speed'] == '7.5 images/s, 12.5% of the time waiting for data'
    assert table['versions'] == 'python 3.11.7'
    assert table['voc/mAP'] == '0.25'
    assert table['1'] == '5'


def test_what_could_not_be_had_gives_its_reason():
    model = {**content()['model'], 'macs': None, 'input_shape': None, 'why': 'no idea'}
    data = {'train': {**SPLIT, 'sha256': None, 'why': 'it lists nothing'}, 'val': None}
    git = {**dict.fromkeys(GIT), 'why': 'git is not installed'}
    page = run_page('fruit', content(model=model, data=data, git=git, best=None))
    assert 'multiply-adds unknown (no idea)' in page
    assert 'FruitDataset: it lists nothing' in page
    assert '| commit | unknown: git is not installed |' in page
    assert 'Best' not in page


def test_what_lies_beside_it_is_linked():
    page = run_page('fruit', content(), [('a (b)', 'report.html'), ('c', 'd/e f/')])
    assert '\nBeside this file: [a (b)](<report.html>), [c](<d/e f/>).\n' in page
    assert 'Beside' not in run_page('fruit', content())


def test_neighbours_are_the_pages_and_the_last_pictures(tmp_path):
    assert neighbours(str(tmp_path), 'report.html') == []
    for name in ('report.html', 'run.md', 'other.txt'):
        (tmp_path / name).write_text('')
    for age, name in enumerate(('test/2/painted', 'test/1/painted')):
        (tmp_path / name).mkdir(parents=True)
        os.utime(tmp_path / name, (age, age))
    files = neighbours(str(tmp_path), 'report.html')
    assert [path for _, path in files] == ['run.md', 'test/1/painted/']


def test_a_run_that_has_only_begun():
    speed = dict.fromkeys(content()['speed'])
    changes = {'epochs': [], 'best': None, 'validation': None, 'speed': speed}
    page = run_page('fruit', content(status='running', **changes))
    assert page.startswith(
        '# fruit: running, or killed after 2026-01-01T00:01:00+00:00\n'
    )
    assert '## ' not in page


def test_a_failed_run_shows_the_whole_reason():
    page = run_page('fruit', content(status='failed', reason='no loss\n  image: a|b'))
    assert page.startswith('# fruit: failed (no loss)\n')
    assert '```text\nno loss\n  image: a|b\n```' in page


def test_resumptions_and_tests_have_tables():
    killed = {**SESSION, 'status': 'stopped', 'reason': 'it ended without a word'}
    test = {
        'checkpoint': 'epoch_2.pth',
        'when': '2026-01-02T00:00:00+00:00',
        'seconds': 2.0,
        'command': ['tools/test.py', 'a b.py'],
        'model': 'Detector',
        'data': {**SPLIT, 'samples': 10},
        'metrics': {'voc/mAP': 0.125, 'matrix': [[1, 0], [0, 1]]},
    }
    page = run_page('fruit', content(sessions=[killed, SESSION], tests=[test]))
    assert '## Started and resumed' in page
    assert 'stopped (it ended without a word)' in page
    assert '## Test of epoch_2.pth' in page
    assert "`tools/test.py 'a b.py'`: 10 images of" in page
    assert '| voc/mAP | 0.125 |' in page
    assert 'matrix' not in page


def test_iterations_are_named_where_there_are_no_epochs():
    entries = [{**each, 'epoch': None} for each in content()['epochs']]
    best = {**content()['best'], 'epoch': None}
    schedule = {'epochs': None, 'iterations': 10, 'schedulers': []}
    page = run_page('fruit', content(epochs=entries, best=best, schedule=schedule))
    assert 'after iteration 5' in page
    assert '| schedule | 10 iterations |' in page


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0.04, '0.0 s'),
        (59.4, '59 s'),
        (59.6, '1 min 00 s'),
        (3599, '59 min 59 s'),
        (3660, '1 h 01 min'),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
