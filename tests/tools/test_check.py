"""``tools/check.py``, and the part of it that ``tools/train.py`` runs."""

import json
import re
import shutil

import pytest

from tests.leaves import SAMPLE, small_run
from tools import check as check_tool
from tools import train as train_tool

XML = 'Annotations/train_0003.xml'


@pytest.fixture
def broken_root(bccd_root, tmp_path):
    """The drawn set, with an unknown class in one file of the training list."""
    root = tmp_path / 'bccd'
    shutil.copytree(bccd_root, root)
    path = root / XML
    before, after = path.read_text().split('<name>RBC<', 1)
    path.write_text(f'{before}<name>rbc_s<{after}')
    return root


def check(*arguments):
    return check_tool.main([str(SAMPLE), *map(str, arguments)])


def test_clean_data_give_status_0(capsys, bccd_root):
    assert check('--no-cache', '--cfg-options', f'data_root={bccd_root}') == 0
    out, err = capsys.readouterr()
    assert out.endswith('16 images\n')
    assert '\n0 errors, ' in out
    assert not err


def test_an_error_gives_status_1_and_its_place(capsys, broken_root, tmp_path):
    file = tmp_path / 'findings.json'
    options = ['--no-images', '--json', file, '--cfg-options']
    assert check(*options, f'data_root={broken_root}') == 1
    out, err = capsys.readouterr()
    assert err.startswith('error: 1 error, ')
    assert 'train_0003.xml, object ' in out
    assert "unknown class 'rbc_s'; did you mean 'RBC'?" in out
    errors = [f for f in json.loads(file.read_text()) if f['severity'] == 'error']
    names = re.findall('<name>(.*?)</name>', (broken_root / XML).read_text())
    assert [(f['code'], f['split'], f['object']) for f in errors] == [
        ('unknown-class', 'train', names.index('rbc_s'))
    ]


def train(broken_root, work_dir, *arguments):
    options = small_run(SAMPLE, broken_root)
    given = [SAMPLE, '--work-dir', work_dir, *arguments, '--cfg-options', *options]
    return train_tool.main([str(argument) for argument in given])


def test_train_stops_before_anything_is_built(capsys, broken_root, tmp_path):
    assert train(broken_root, tmp_path / 'w') == 1
    err = capsys.readouterr().err
    assert 'stopped before training' in err
    assert "did you mean 'RBC'?" in err
    assert '--no-check trains anyway' in err
    assert not (tmp_path / 'w').exists()


def test_no_check_leaves_it_to_the_data_set(capsys, broken_root, tmp_path):
    assert train(broken_root, tmp_path / 'w', '--no-check') == 1
    err = capsys.readouterr().err
    assert 'BCCDDataset' in err
    assert 'stopped before training' not in err


def test_training_does_not_need_the_test_set(bccd_root, tmp_path, monkeypatch):
    monkeypatch.setattr('custom_datasets.training.stock.run_stock', lambda *given: None)
    root = shutil.copytree(bccd_root, tmp_path / 'bccd')
    (root / 'ImageSets/Main/test.txt').unlink()
    assert check('--cfg-options', f'data_root={root}') == 1
    assert train(root, tmp_path / 'w') == 0
    (root / 'ImageSets/Main/val.txt').unlink()
    assert train(root, tmp_path / 'w') == 1


def test_only_the_first_process_checks(capsys, broken_root, tmp_path, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    monkeypatch.setattr('custom_datasets.training.stock.run_stock', lambda *given: None)
    assert train(broken_root, tmp_path / 'w') == 0
    monkeypatch.setenv('RANK', '0')
    assert train(broken_root, tmp_path / 'w') == 1
