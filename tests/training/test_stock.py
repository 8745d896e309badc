"""Finding and running the stock scripts."""

import os
import sys

import mmengine.device.utils
import pytest

from custom_datasets.cli import find_config
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.predicting import model
from custom_datasets.training import stock
from custom_datasets.training.stock import use_device
from tests.leaves import LEAVES, SAMPLE


@pytest.mark.parametrize(
    ('arguments', 'config'),
    [
        (['a.py'], 'a.py'),
        (['--work-dir', 'w', 'c.yaml', '--amp'], 'c.yaml'),
        (['--cfg-options', 'a=b.py'], None),
        (['--amp'], None),
    ],
)
def test_the_config_is_found_among_options(arguments, config):
    assert find_config(arguments) == config


def test_the_default_scope_names_the_package():
    classifier = next(leaf for leaf in LEAVES if leaf.stem.startswith('resnet18'))
    assert stock.package_of(str(SAMPLE)) == 'mmdet'
    assert stock.package_of(str(classifier)) == 'mmpretrain'


def test_a_config_without_scope_is_said(tmp_path):
    (tmp_path / 'c.py').write_text('a = 1\n')
    with pytest.raises(ConfigError, match='no default_scope'):
        stock.package_of(str(tmp_path / 'c.py'))


def test_a_missing_package_names_the_command(tmp_path):
    with pytest.raises(UserError, match=r'no_such_mm is not installed.*\[onedl\]'):
        stock.package_folder('no_such_mm')
    config = tmp_path / 'c.py'
    config.write_text("_base_ = 'mmyolo::_base_/default_runtime.py'\n")
    with pytest.raises(ConfigError, match=r'mmyolo.*pip install -e'):
        stock.package_of(str(config))


def test_a_missing_checkpoint_is_said_before_anything_is_built(monkeypatch, capsys):
    started = []
    monkeypatch.setattr(
        stock, 'run_stock', lambda *arguments: started.append(arguments)
    )
    assert stock.stock_command('test.py', [str(SAMPLE), 'gone.pth', '--tta'], None) == 1
    assert capsys.readouterr().err == 'error: gone.pth: no such checkpoint\n'
    assert started == []
    for path in ('https://example.org/a.pth', '--work-dir', __file__):
        assert stock.stock_command('test.py', [str(SAMPLE), path], None) == 0
    assert len(started) == 3


def test_what_has_no_effect_is_shown_before_training(bccd_root, tmp_path, capsys):
    leaf = tmp_path / 'leaf.py'
    names = ('train_dataloder', 'max_epochs', 'lr', 'num_classes', 'train_pipeline')
    text = ''.join(f'{name} = 1\n' for name in names)
    leaf.write_text(f'_base_ = {str(SAMPLE)!r}\ndata_root = {str(bccd_root)!r}\n{text}')
    arguments = [str(leaf), '--cfg-options', 'los=focal']
    stock.check_before_training(str(leaf), arguments)
    *shown, last = capsys.readouterr().out.splitlines()
    for name in (*names, 'los'):
        assert any(f'{name} is set in ' in line for line in shown)
    assert "did you mean 'train_dataloader'?" in shown[4]
    assert last.endswith('tools/check.py with the same --cfg-options shows them')
    leaf.write_text(f'_base_ = {str(SAMPLE)!r}\ndata_root = {str(bccd_root)!r}\n')
    stock.check_before_training(str(leaf), [str(leaf)])
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize('script', ['train.py', 'test.py'])
def test_the_stock_script_gets_the_arguments(script, tmp_path, monkeypatch):
    tools = tmp_path / 'mmdet' / '.mim' / 'tools'
    tools.mkdir(parents=True)
    (tools / script).write_text('import sys\nsys.seen = sys.argv[:]\n')
    monkeypatch.setattr(stock, 'package_folder', lambda name: str(tmp_path / 'mmdet'))
    monkeypatch.setattr(stock, 'package_of', lambda config: 'mmdet')
    before = list(sys.argv)
    given = ['c.py', '--amp', '--no-check', 'a b']
    assert stock.stock_command(script, given, usage='') == 0
    assert sys.seen == [str(tools / script), 'c.py', '--amp', 'a b']
    assert sys.argv == before
    (tools / script).unlink()
    assert stock.stock_command(script, ['c.py'], usage='') == 1


@pytest.fixture
def environment(monkeypatch):
    """What choosing a device may change."""
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,7')
    monkeypatch.setattr(mmengine.device.utils, 'DEVICE', 'before')
    return monkeypatch


def test_a_device_is_taken_out_and_hides_the_others(environment):
    arguments = ['leaf.py', '--device', 'cpu', '--amp', '--cfg-options', 'a=--device']
    assert use_device(arguments) == ['leaf.py', '--amp', '--cfg-options', 'a=--device']
    assert os.environ['CUDA_VISIBLE_DEVICES'] == ''
    assert mmengine.device.get_device() == 'cpu'


def test_without_a_device_all_stays(environment):
    assert use_device(['leaf.py', '--amp']) == ['leaf.py', '--amp']
    assert os.environ['CUDA_VISIBLE_DEVICES'] == '4,7'
    assert mmengine.device.get_device() == 'before'


def test_a_gpu_is_one_of_those_that_are_visible(environment):
    asked = []
    environment.setattr(model, 'choose_device', asked.append)
    use_device(['leaf.py', '--device=cuda:1'])
    assert os.environ['CUDA_VISIBLE_DEVICES'] == '7' and asked == ['cuda']
    environment.delenv('CUDA_VISIBLE_DEVICES')
    use_device(['leaf.py', '--device=cuda:1'])
    assert os.environ['CUDA_VISIBLE_DEVICES'] == '1'


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('gpu', "'gpu': must be cpu, cuda, cuda:N or mps"),
        ('cuda:x', "'cuda:x': must be cpu, cuda, cuda:N or mps"),
    ],
)
def test_another_device_is_refused(environment, name, message):
    with pytest.raises(UserError, match=message):
        use_device(['leaf.py', '--device', name])


def test_one_gpu_is_not_for_several_processes(environment):
    environment.setenv('WORLD_SIZE', '2')
    with pytest.raises(UserError, match='--device cuda:1: is for one process'):
        use_device(['leaf.py', '--device', 'cuda:1'])
