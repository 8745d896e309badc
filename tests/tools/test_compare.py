"""Runs as training and test leave them, compared by the command."""

import csv
import shutil

import pytest

from tests.leaves import SAMPLE
from tests.pages.parsing import Page
from tests.tools.conftest import Trained
from tools.analysis_tools import compare as tool


@pytest.fixture(scope='module')
def runs(cells, tmp_path_factory):
    """Two runs that differ in their seed."""
    options = [*cells.options[1:-2], 'randomness.seed=1']
    other = Trained(SAMPLE, options, tmp_path_factory.mktemp('seed'), 3)
    shutil.copy(other.predictions, other.folder / 'test_predictions.pkl')
    return [cells.folder, other.folder]


def test_two_seeds(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ['--markdown', 'compare.md', '--csv', 'tables/compare.csv']
    capsys.readouterr()
    assert tool.main([*map(str, runs), *arguments]) == 0
    text = capsys.readouterr().out
    assert 'not the seed of the training' in text
    written = 'work_dirs/compare.html, compare.md, tables/compare.csv'
    assert text.endswith(f'written: {written}\n')
    with open('tables/compare.csv', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    first, second = (row['run'] for row in rows)
    assert (first, second) == tuple('/'.join(run.parts[-2:]) for run in runs)
    assert f'{first}, {second} differ in their seed only' in text
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
