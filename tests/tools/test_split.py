"""The command: usage, the report, and folds in a run."""

import shutil
from pathlib import Path

import pytest

from tests.leaves import LEAVES, SAMPLE, small_run
from tools import check as check_tool
from tools import test as test_tool
from tools import train as train_tool
from tools.dataset_converters import split as tool

METAL = next(leaf for leaf in LEAVES if leaf.stem.startswith('resnet18'))


@pytest.mark.parametrize(
    ('text', 'shares'),
    [('8:1:1', [8, 1, 1]), ('0.7,0.2,0.1', [7, 2, 1]), ('1/2:1/3:1/6', [3, 2, 1])],
)
def test_ratios(text, shares):
    args = tool.make_parser().parse_args(['x', '--ratios', text])
    assert args.ratios == shares


def test_report_and_refusal(bccd_root, capsys, tmp_path):
    out = ['--out', str(tmp_path / 'out')]
    assert tool.main([str(bccd_root), '--ratios', '2:1:1', *out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['images', 'train', 'val', 'test', 'off', 'by']
    assert lines[1].split() == ['all', '8', '4', '4', '0.0']
    assert tool.main([str(bccd_root), '--ratios', '1:1:2', *out]) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1
    assert tool.main([str(bccd_root), '--ratios', '1:1:2', '--overwrite', *out]) == 0
    assert tool.main([str(tmp_path / 'nowhere')]) == 1


def test_a_leaf_trains_and_tests_on_a_fold(bccd_root, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    data = Path(shutil.copytree(bccd_root, tmp_path / 'data'))
    test_list = data / 'ImageSets/Main/test.txt'
    assert tool.main([str(data), '--folds', '3', '--test-list', str(test_list)]) == 0
    options = ['--cfg-options', *small_run(SAMPLE, data)]
    assert train_tool.main([str(SAMPLE), *options, 'fold=2']) == 0
    work_dir = tmp_path / 'work_dirs' / SAMPLE.stem
    checkpoint = work_dir / 'fold_2/epoch_1.pth'
    assert checkpoint.is_file()
    assert not list(work_dir.glob('*.pth'))
    log = next((work_dir / 'fold_2').glob('*/*.log')).read_text()
    assert 'ImageSets/Main/fold_2/train.txt: ' in log
    assert test_tool.main([str(SAMPLE), str(checkpoint), *options, 'fold=2']) == 0
    capfd.readouterr()
    assert train_tool.main([str(SAMPLE), *options, 'fold=3']) == 1
    assert 'folds that exist: 0, 1, 2;' in capfd.readouterr().err


def test_a_fold_of_class_lists_is_clean(metal_crops, tmp_path):
    data = Path(shutil.copytree(metal_crops, tmp_path / 'data'))
    assert tool.main([str(data), '--folds', '3']) == 0
    options = [f'data_root={data}', 'fold=0', f'classes={data}/classes.txt']
    arguments = [str(METAL), '--no-cache', '--cfg-options', *options]
    assert check_tool.main(arguments) == 0
    shutil.rmtree(data / 'fold_0')
    assert check_tool.main(arguments) == 1
