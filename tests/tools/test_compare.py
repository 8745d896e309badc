"""Runs as training and test leave them, compared by the command."""

import csv

import pytest

from tests.leaves import SAMPLE, small_run
from tests.pages.parsing import Page
from tools import test as test_tool
from tools import train as train_tool
from tools.analysis_tools import compare as tool


@pytest.fixture(scope='module')
def runs(bccd_root, tmp_path_factory):
    """Two runs of the sample's leaf with other seeds, and their predictions."""
    folder = tmp_path_factory.mktemp('runs')
    options = [
        option for option in small_run(SAMPLE, bccd_root) if 'indices' not in option
    ]
    options += ['train_cfg.max_epochs=3', 'train_cfg.val_interval=3']
    options += ['optim_wrapper.optimizer.lr=0.004']
    for seed in (0, 1):
        work_dir = folder / f'seed_{seed}'
        last = ['--cfg-options', *options, f'randomness.seed={seed}']
        assert train_tool.main([str(SAMPLE), '--work-dir', str(work_dir), *last]) == 0
        out = ['--out', str(work_dir / 'test_predictions.pkl')]
        where = ['--work-dir', str(folder / f'test_{seed}')]
        checkpoint = str(work_dir / 'epoch_3.pth')
        assert test_tool.main([str(SAMPLE), checkpoint, *where, *out, *last]) == 0
    return [folder / 'seed_0', folder / 'seed_1']


def test_two_seeds(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ['--markdown', 'compare.md', '--csv', 'tables/compare.csv']
    capsys.readouterr()
    assert tool.main([*map(str, runs), *arguments]) == 0
    text = capsys.readouterr().out
    assert 'seed_0, seed_1 differ in their seed only' in text
    assert 'not the seed of the training' in text
    written = 'work_dirs/compare.html, compare.md, tables/compare.csv'
    assert text.endswith(f'written: {written}\n')
    with open('tables/compare.csv', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert [row['run'] for row in rows] == ['seed_0', 'seed_1']
    assert sorted(row['rank'] for row in rows) in (['1', '2'], ['1', '1'])
    assert [row['seed'] for row in rows] == ['0', '1']
    assert [row['status'] for row in rows] == ['finished', 'finished']
    differ = float(rows[1]['area-AP50']) - float(rows[0]['area-AP50'])
    assert float(rows[1]['area-AP50 difference']) == pytest.approx(differ, abs=2e-6)
    markdown = (tmp_path / 'compare.md').read_text()
    assert '| randomness.seed |' in markdown
    page = Page((tmp_path / 'work_dirs/compare.html').read_text())
    assert page.outside == []
    assert 'pascal_voc/mAP' in page.text


def test_without_a_second_run(runs, capsys):
    assert tool.main([str(runs[0])]) == 1
    error = capsys.readouterr().err
    assert error == f'error: {runs[0]}: only one run; name at least two\n'


def test_a_folder_that_is_no_run(runs, tmp_path, capsys):
    page = str(tmp_path / 'c.html')
    assert tool.main([str(runs[0]), str(tmp_path), '--html', page]) == 1
    assert 'run.json: no such file' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
