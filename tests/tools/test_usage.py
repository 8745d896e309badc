"""Wrong usage is status 2, and what is not there is one sentence and status 1."""

import importlib

import pytest

from tests.leaves import SAMPLE
from tools import test as test_tool
from tools import train as train_tool

ANALYSIS, CONVERTERS = 'analysis_tools.', 'dataset_converters.'

WRONG = {
    'check': [[], ['c.py', '--gpus', '0'], ['c.py', '--shown', '-1']],
    'cross_validate': [
        *([], ['c.py', '--folds', '1'], ['c.py', '--gpus', '0']),
        ['c.py', '--cfg-options', 'fold'],
    ],
    'demo_app': [[], ['run', '--examples', '0'], ['run', '--port', '65536']],
    'draw_sample': [[], ['out', '--format', 'csv'], ['out', '--seed', '-1']],
    'new_dataset': [[], ['x', 'folder', '--from', 'VOC']],
    'predict': [
        *([], ['run'], ['c.py', 'c.pth'], ['run', 'i.png', '--every', '0']),
        ['run', 'i.png', '--save-labels', 'csv'],
    ],
    'submit': [[], ['p.pkl'], ['p.pkl', '--out', 'o.csv', '--labels', 'A']],
    'tag': [[], ['c.py', 'c.pth'], ['c.py', 'c.pth', 'i.png', '--threshold', '2']],
    'train_all': [[], ['c.py', '--gpus', '0'], ['c.py', '--cfg-options', 'lr']],
    f'{ANALYSIS}compare': [[]],
    f'{ANALYSIS}dataset_report': [[]],
    f'{ANALYSIS}ensemble': [
        *([], ['a.pkl'], ['a.pkl', '--out', 'b.pkl', '--method', 'average']),
    ],
    f'{ANALYSIS}judge_generator': [
        [],
        ['run', '--count', '2'],
        ['run', '--seed', '-1'],
    ],
    f'{ANALYSIS}report': [[]],
    f'{CONVERTERS}age_gender': [['faces'], ['faces', 'out', '--margin', '-1']],
    f'{CONVERTERS}clean': [[]],
    f'{CONVERTERS}convert': [
        *([], ['a'], ['a', 'b', '--to', 'csv']),
        ['a', 'b', '--zero-based', '--one-based'],
    ],
    f'{CONVERTERS}face_mask': [[]],
    f'{CONVERTERS}metal_surface': [['raw']],
    f'{CONVERTERS}split': [
        [],
        ['a', '--ratios', '8:1'],
        ['a', '--ratios', '8:1:1', '--test-list', 'x'],
        ['a', '--ratios', '8:1:0'],
        ['a', '--ratios', '8:1:x'],
        ['a', '--ratios', '8:1:1/0'],
        ['a', '--folds', '1'],
        ['a', '--folds', 'two'],
        ['a', '--folds', '2', '--ratios', '8:1:1'],
        ['a', '--folds', '2', '--few-to-train'],
        ['a', '--group-by', 'a'],
        ['a', '--group-by', '(a'],
    ],
}


@pytest.mark.parametrize(
    ('tool', 'arguments'),
    [(tool, arguments) for tool, cases in WRONG.items() for arguments in cases],
)
def test_wrong_usage(tool, arguments, capsys):
    module = importlib.import_module(f'tools.{tool}')
    with pytest.raises(SystemExit) as stopped:
        module.main(arguments)
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.err.startswith('usage: ') and 'error: ' in shown.err
    assert not shown.out


@pytest.mark.parametrize('tool', WRONG)
def test_help_is_no_error(tool, capsys):
    with pytest.raises(SystemExit, match='0'):
        importlib.import_module(f'tools.{tool}').main(['--help'])
    assert capsys.readouterr().out.startswith('usage: ')


@pytest.mark.parametrize('main', [train_tool.main, test_tool.main])
def test_a_stock_script_without_a_config(capfd, main):
    assert main(['--amp']) == 2
    assert 'usage: python tools/' in capfd.readouterr().err


@pytest.mark.parametrize(
    ('tool', 'arguments'),
    [
        ('check', ['none.py']),
        ('cross_validate', ['none.py']),
        ('train', ['none.py']),
        ('train_all', [str(SAMPLE), 'none.py']),
        (f'{ANALYSIS}dataset_report', ['none.py']),
        (f'{ANALYSIS}report', ['none.py', 'c.pth']),
    ],
)
def test_a_config_that_is_not_there(tool, arguments, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert importlib.import_module(f'tools.{tool}').main(arguments) == 1
    assert capfd.readouterr().err == 'error: none.py: no such config\n'
    assert not list(tmp_path.iterdir())
